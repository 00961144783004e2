// Sends every query that relay-compiler made to the server, and asks for the second page wherever there is one.
import { readFile } from "node:fs/promises";
import { buildSchema, getNamedType, parse } from "graphql";
import { ask } from "../ask.mjs";

const schema = buildSchema(await readFile("schema/schema.graphql", "utf8"));
const texts = Object.values(JSON.parse(await readFile("persisted.json", "utf8")));

// The id of some object of that type, from the list at the root that has such rows; none when there are none yet.
async function someId(type) {
  const lists = Object.values(schema.getQueryType().getFields());
  const list = lists.find((field) => getNamedType(field.type).name === `${type}Connection`);
  const data = await ask(`{ ${list.name}(first: 1) { nodes { id } } }`);
  return data[list.name].nodes[0]?.id;
}

// The only page of an answer, however deep it lies.
function pageInfo(value) {
  if (value === null || typeof value !== "object") return undefined;
  return value.pageInfo ?? Object.values(value).map(pageInfo).find(Boolean);
}

let further = 0;
const absent = [];
for (const text of texts) {
  const document = parse(text);
  const names = document.definitions[0].variableDefinitions.map(({ variable }) => variable.name.value);
  const about = document.definitions.at(-1).typeCondition.name.value; // what the query's fragment is on
  const variables = names.includes("id") ? { id: await someId(about) } : {};
  if (names.includes("id") && variables.id === undefined) {
    absent.push(about);
    continue;
  }
  const page = pageInfo(await ask(text, variables));
  if (page?.hasNextPage && names.includes("after")) {
    const next = pageInfo(await ask(text, { ...variables, after: page.endCursor }));
    if (next.endCursor === page.endCursor) throw new Error(`the second page is the first:\n${text}`);
    further += 1;
  }
}
console.log(`${texts.length - absent.length} queries answered, ${further} second pages; no rows of ${absent.join() || "none"}`);
