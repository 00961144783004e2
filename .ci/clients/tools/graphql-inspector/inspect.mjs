// graphql-inspector: what is served is what is committed, nothing broke since the last release, and it would tell.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import assert from "node:assert/strict";
import { buildClientSchema, getIntrospectionQuery, parse, print, printSchema, visit } from "graphql";
import { ask } from "../ask.mjs";

const COMMITTED = "schema/schema.graphql";
const RELEASED = "schema/released.graphql"; // there when there is a release, and no approved breaking change since

// What the command line prints, and its exit status.
function inspector(...args) {
  try {
    const stdio = ["ignore", "pipe", "pipe"];
    return { status: 0, output: execFileSync("graphql-inspector", args, { encoding: "utf8", stdio }) };
  } catch (failure) {
    return { status: failure.status, output: `${failure.stdout}${failure.stderr}` };
  }
}

async function servedIsCommitted() {
  const served = buildClientSchema(await ask(getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true })));
  await writeFile("served.graphql", printSchema(served));
  const { status, output } = inspector("diff", COMMITTED, "served.graphql");
  assert.equal(status, 0, output);
  assert.match(output, /No changes detected/);
}

async function aBreakingChangeIsRefused() {
  const document = parse(await readFile(COMMITTED, "utf8"));
  const withoutField = (node) => (node.name.value === "traceId" ? null : undefined);
  const withoutFields = (node) => (node.name.value === "Run" ? visit(node, { FieldDefinition: withoutField }) : undefined);
  await writeFile("broken.graphql", print(visit(document, { ObjectTypeDefinition: withoutFields })));
  const { status, output } = inspector("diff", COMMITTED, "broken.graphql");
  assert.equal(status, 1, output);
  assert.match(output, /Field traceId was removed from object type Run/);
}

function documentsAreValid() {
  // The server's own limits.
  const limits = ["--maxDepth", "12", "--maxAliasCount", "20", "--maxTokenCount", "2000"];
  const { status, output } = inspector("validate", "schema/operations/*.graphql", COMMITTED, ...limits, "--deprecated");
  assert.equal(status, 0, output);
}

function nothingBrokeSinceTheRelease() {
  if (!existsSync(RELEASED)) return "no release to compare with";
  const { status, output } = inspector("diff", RELEASED, COMMITTED);
  assert.equal(status, 0, output);
  return "nothing broke since the last release";
}

await servedIsCommitted();
await aBreakingChangeIsRefused();
documentsAreValid();
console.log(`served is committed; ${nothingBrokeSinceTheRelease()}`);
