// What the subscription checks follow, over whatever transport: runs, and how one is made.
import { randomUUID } from "node:crypto";
import { ask } from "./ask.mjs";

export const RUNS = `subscription Runs($after: String) {
  runUpdated(after: $after) { cursor events { kind runId run { agentId } } }
}`;

const START = `mutation Start($input: StartRunInput!) {
  startRun(input: $input) { runId userErrors { message } }
}`;

// Reports a new run; its id.
export async function startRun() {
  const input = {
    idempotencyKey: randomUUID(),
    agentId: "client-tools",
    actor: { kind: "HUMAN", id: "somebody" },
    projectId: "clients",
    originSystemId: "clients",
  };
  const { runId, userErrors } = (await ask(START, { input })).startRun;
  if (userErrors.length) throw new Error(JSON.stringify(userErrors));
  return runId;
}

// Reads batches until one is about that run; the cursor after it.
export async function until(runId, batches) {
  for (;;) {
    const { value, done } = await batches.next();
    if (done) throw new Error(`the stream ended without ${runId}`);
    if (value.errors) throw new Error(JSON.stringify(value.errors));
    const { cursor, events } = value.data.runUpdated;
    if (events.some((event) => event.runId === runId)) return cursor;
  }
}
