// Writes a Relay module for every connection of the schema and one for every type behind `node`, for relay-compiler.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { buildSchema, getNamedType, isLeafType, isListType, isNonNullType, isObjectType, isRequiredArgument } from "graphql";

const schema = buildSchema(await readFile("schema/schema.graphql", "utf8"));
const isConnection = (type) => isObjectType(type) && type.name.endsWith("Connection");
const isList = (type) => isListType(isNonNullType(type) ? type.ofType : type);
const fieldsOf = (type) => Object.values(type.getFields());
const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

// What a row shows: everything that needs no arguments and no selection.
function leaves(type) {
  const plain = fieldsOf(type).filter((field) => isLeafType(getNamedType(field.type)) && !field.args.length);
  return plain.map((field) => field.name).join(" ");
}

// Connections from `type` downwards: [path, field], through objects that are no list, no Node and no connection.
function connectionsFrom(type, path = []) {
  return fieldsOf(type).flatMap((field) => {
    const inner = getNamedType(field.type);
    if (isConnection(inner)) return [[path, field]];
    const passable = isObjectType(inner) && !isList(field.type) && !inner.getInterfaces().length;
    const needs = field.args.some(isRequiredArgument);
    return passable && !needs ? connectionsFrom(inner, [...path, field.name]) : [];
  });
}

function connectionModule(type, path, field) {
  const name = [type.name, ...path, field.name].map(capitalized).join("");
  const row = getNamedType(getNamedType(field.type).getFields().edges.type).getFields().node.type;
  const page = `${field.name}(first: $first, after: $after) @connection(key: "${name}_${field.name}") {
    edges { node { __typename ${leaves(getNamedType(row))} } } }`;
  const nested = path.reduceRight((inside, outer) => `${outer} { ${inside} }`, page);
  const fragment = `fragment ${name}_rows on ${type.name}
    @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
    @refetchable(queryName: "${name}PageQuery") { ${nested} }`;
  const query =
    type.name === "Query"
      ? `query ${name}Query { ...${name}_rows }`
      : `query ${name}Query($id: ID!) { node(id: $id) { ...${name}_rows @alias(as: "rows") } }`;
  return [name, fragment, query];
}

function nodeModule(type) {
  const name = `Node${type.name}`;
  const fragment = `fragment ${name}_fields on ${type.name} @refetchable(queryName: "${name}RefetchQuery") {
    ${leaves(type)} }`;
  return [name, fragment, `query ${name}Query($id: ID!) { node(id: $id) { __typename ...${name}_fields @alias(as: "fields") } }`];
}

const nodes = schema.getPossibleTypes(schema.getType("Node"));
const connections = [schema.getQueryType(), ...nodes].flatMap((type) =>
  connectionsFrom(type).map(([path, field]) => ({ type, path, field })),
);
const modules = [...connections.map(({ type, path, field }) => connectionModule(type, path, field)), ...nodes.map(nodeModule)];

for (const folder of ["src", "artifacts"]) await mkdir(folder, { recursive: true });
for (const [name, ...documents] of modules) {
  const text = documents.map((document) => `graphql\`${document}\`;`).join("\n");
  await writeFile(`src/${name}.ts`, `import { graphql } from "relay-runtime";\n${text}\n`);
}
const reached = new Set(connections.map(({ field }) => field));
const all = Object.values(schema.getTypeMap())
  .filter((type) => isObjectType(type))
  .flatMap((type) => fieldsOf(type).map((field) => [`${type.name}.${field.name}`, field]))
  .filter(([, field]) => isConnection(getNamedType(field.type)));
const missed = all.filter(([, field]) => !reached.has(field)).map(([name]) => name);
console.log(`${all.length} connections, ${nodes.length} types behind node`);
if (missed.length) {
  console.error(`no way for Relay to page through: ${missed.join(", ")}`);
  process.exitCode = 1;
}
