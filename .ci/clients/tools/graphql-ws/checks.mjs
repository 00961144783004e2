// GraphQL over WebSocket with graphql-ws's client, and by hand where no client would go.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { authorization } from "../ask.mjs";
import { run, within } from "../checks.mjs";
import { newKey, revoke } from "../keys.mjs";
import { RUNS, startRun, until } from "../live.mjs";

const URL = `${process.env.HOC_URL.replace("http", "ws")}/graphql`;
const PROTOCOL = "graphql-transport-ws";
const INIT = { type: "connection_init", payload: { authorization } };
const SUBSCRIBE = { type: "subscribe", id: "1", payload: { query: RUNS } };

function client(options = {}) {
  return createClient({ url: URL, webSocketImpl: WebSocket, connectionParams: { authorization }, retryAttempts: 0, ...options });
}

// A socket that is open, for sending what one likes.
async function rawSocket(protocol = PROTOCOL) {
  const socket = new WebSocket(URL, protocol);
  await once(socket, "open");
  return socket;
}

const send = (socket, message) => socket.send(typeof message === "string" ? message : JSON.stringify(message));
const received = async (socket) => JSON.parse((await once(socket, "message"))[0]);
const closed = async (socket) => (await once(socket, "close"))[0];

// The close code that follows these messages, the first being acknowledged when it begins the connection.
async function closeCodeAfter(...messages) {
  const socket = await rawSocket();
  const code = closed(socket);
  for (const message of messages) {
    send(socket, message);
    if (message === INIT && message !== messages.at(-1)) await Promise.race([received(socket), code]);
  }
  return code;
}

// The only result of an operation that isn't a subscription.
async function only(iterator) {
  const results = [];
  for await (const result of iterator) results.push(result);
  assert.equal(results.length, 1);
  return results[0];
}

run({
  async "the handshake agrees on the subprotocol"() {
    const socket = await rawSocket();
    assert.equal(socket.protocol, PROTOCOL);
    socket.close();
  },
  async "no subprotocol is 4406, and the older one is not spoken"() {
    assert.equal(await closed(await rawSocket([])), 4406);
    await assert.rejects(rawSocket("graphql-ws"), /no subprotocol/);
  },
  async "a page of another origin is refused"() {
    const socket = new WebSocket(URL, PROTOCOL, { origin: "https://elsewhere.example" });
    const [, response] = await once(socket, "unexpected-response");
    assert.equal(response.statusCode, 403);
  },
  async "an operation before the beginning is 4401"() {
    assert.equal(await closeCodeAfter(SUBSCRIBE), 4401);
  },
  async "no beginning is 4408"() {
    assert.equal(await closeCodeAfter(), 4408);
  },
  async "a wrong key is 4403"() {
    assert.equal(await closeCodeAfter({ type: "connection_init", payload: { authorization: "Bearer wrong" } }), 4403);
  },
  async "a second beginning is 4429"() {
    assert.equal(await closeCodeAfter(INIT, { ...INIT }), 4429);
  },
  async "an id in use is 4409"() {
    assert.equal(await closeCodeAfter(INIT, SUBSCRIBE, { ...SUBSCRIBE }), 4409);
  },
  async "what is no message is 4400"() {
    for (const message of ["nonsense", "[]", { type: "unknown" }, { type: "subscribe", id: "1" }]) {
      assert.equal(await closeCodeAfter(INIT, message), 4400);
    }
  },
  async "a ping is answered by a pong"() {
    const socket = await rawSocket();
    send(socket, { type: "ping" });
    assert.equal((await received(socket)).type, "pong");
    socket.close();
  },
  async "a client that keeps its connection alive gets pongs"() {
    const { promise, resolve } = waiting();
    const kept = client({ lazy: false, keepAlive: 50, on: { pong: (wasReceived) => wasReceived && resolve() } });
    await promise;
    await kept.dispose();
  },
  async "a query has one result"() {
    const { data } = await only(client().iterate({ query: "{ viewer { role } }" }));
    assert.deepEqual(data, { viewer: { role: "OWNER" } });
  },
  async "variables and the operation's name are heeded"() {
    const query = "query A($first: Int!) { runs(first: $first) { nodes { id } } } query B { __typename }";
    const { data } = await only(client().iterate({ query, operationName: "A", variables: { first: 2 } }));
    assert.equal(data.runs.nodes.length, 2);
  },
  async "an invalid document is an error of its operation, and the socket stays"() {
    let opened = 0;
    const kept = client({ lazyCloseTimeout: 1_000, on: { opened: () => (opened += 1) } });
    await assert.rejects(only(kept.iterate({ query: "{ nothing }" })), ([error]) => {
      assert.equal(error.extensions.code, "VALIDATION");
      return true;
    });
    assert.ok((await only(kept.iterate({ query: "{ __typename }" }))).data);
    assert.equal(opened, 1);
    await kept.dispose();
  },
  async "a subscription tells what happens until the client completes it"() {
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
  async "a revoked key's socket is closed within two seconds"() {
    const key = await newKey();
    const { promise: close, resolve } = waiting();
    const connectionParams = { authorization: `Bearer ${key}` };
    const batches = client({ connectionParams, on: { closed: resolve } }).iterate({ query: RUNS });
    await batches.next();
    const end = assert.rejects(batches.next());
    await revoke(key);
    assert.equal((await within(2_000, close)).code, 4403);
    await end;
  },
});

function waiting() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
