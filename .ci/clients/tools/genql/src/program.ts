// A program on genql's client: queries are objects, and so typed; asked of the server.
import assert from "node:assert/strict";
import { createClient, isRun } from "./client";

const client = createClient({
  url: `${process.env.HOC_URL}/graphql`,
  headers: { authorization: `Bearer ${process.env.HOC_KEY}` },
});

async function main() {
  const { runs, viewer } = await client.query({
    viewer: { role: true },
    runs: {
      __args: { first: 5, filter: { status: ["SUCCEEDED"] }, orderBy: "STARTED_AT_ASC" },
      nodes: { id: true, startedAt: true, costUsd: true, evidence: { sources: { domain: true, status: true } } },
    },
  });
  const [first] = runs.nodes;
  assert.ok(first);
  const cost: string | null = first.costUsd;
  const begun: string = first.startedAt;
  assert.ok(cost === null || /^\d/.test(cost));
  assert.ok(!Number.isNaN(Date.parse(begun)));
  assert.equal(viewer.role, "OWNER");
  const { node } = await client.query({
    node: { __args: { id: first.id }, __typename: true, id: true, on_Run: { agentName: true } },
  });
  assert.ok(node && isRun(node) && node.agentName);
  console.log(`${runs.nodes.length} runs, and one by its id`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
