// GraphQL over server-sent events with graphql-sse's client, each operation on a connection of its own.
import assert from "node:assert/strict";
import { createClient } from "graphql-sse";
import { authorization } from "../ask.mjs";
import { run, within } from "../checks.mjs";
import { newKey, revoke } from "../keys.mjs";
import { RUNS, startRun, until } from "../live.mjs";

function client(options = {}) {
  const url = `${process.env.HOC_URL}/graphql`;
  return createClient({ url, headers: { authorization }, retryAttempts: 0, ...options });
}

async function all(iterator) {
  const results = [];
  for await (const result of iterator) results.push(result);
  return results;
}

run({
  async "a query has one result"() {
    const results = await all(client().iterate({ query: "{ viewer { role } }" }));
    assert.deepEqual(results.map(({ data }) => data), [{ viewer: { role: "OWNER" } }]);
  },
  async "an invalid document is told with its code"() {
    const [result] = await all(client().iterate({ query: "{ nothing }" }));
    assert.equal(result.errors[0].extensions.code, "VALIDATION");
  },
  async "without a key the connection is refused with 401"() {
    await assert.rejects(all(client({ headers: {} }).iterate({ query: RUNS })), (error) => {
      assert.equal(error.response.status, 401);
      return true;
    });
  },
  async "a subscription tells what happens until the client goes"() {
    const batches = client().iterate({ query: RUNS });
    await batches.next(); // where it begins
    await until(await startRun(), batches);
    assert.equal((await batches.return()).done, true);
  },
  async "what happened meanwhile is told to a client that comes back with its cursor"() {
    const first = client().iterate({ query: RUNS });
    const { cursor } = (await first.next()).value.data.runUpdated;
    await first.return();
    const missed = await startRun();
    const second = client().iterate({ query: RUNS, variables: { after: cursor } });
    await until(missed, second);
    await second.return();
  },
  async "a revoked key's stream ends within two seconds"() {
    const key = await newKey();
    const batches = client({ headers: { authorization: `Bearer ${key}` } }).iterate({ query: RUNS });
    await batches.next();
    await revoke(key);
    const { value } = await within(2_000, batches.next());
    assert.equal(value.errors[0].extensions.code, "UNAUTHENTICATED");
    assert.equal((await batches.next()).done, true);
  },
});
