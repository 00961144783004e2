// Asks the server: queries and mutations by POST, subscriptions by WebSocket, with the tab's key.

const WITHOUT_KEY = "There is no API key yet. Paste one at the top of the page, or into the headers below the query.";

export const storedKey = () => sessionStorage.getItem("hoc:key") ?? "";

export function keep(key) {
  if (key) sessionStorage.setItem("hoc:key", key);
  else sessionStorage.removeItem("hoc:key");
  dispatchEvent(new Event("hoc:key"));
}

/** The fetcher of GraphiQL for this key. An Authorization header in the headers pane goes before it. */
export function fetcherFor(key) {
  return (payload, options = {}) => {
    const headers = headersOf(key, options.headers);
    if (!headers.has("authorization")) return Promise.resolve({ errors: [{ message: WITHOUT_KEY }] });
    const { kind, operationName } = chosen(payload);
    const request = { ...payload, operationName };
    return kind === "subscription" ? subscribe(request, headers) : post(request, headers);
  };
}

/** The answer to a query of the page's own. */
export const ask = (query, key = storedKey()) => post({ query }, headersOf(key));

function headersOf(key, typed = {}) {
  const headers = new Headers(key ? { authorization: `Bearer ${key}` } : {});
  for (const [name, value] of Object.entries(typed ?? {})) headers.set(name, String(value));
  return headers;
}

async function post(payload, headers) {
  headers.set("content-type", "application/json");
  headers.set("accept", "application/graphql-response+json, application/json;q=0.9");
  const response = await fetch("graphql", {
    method: "POST",
    headers,
    body: JSON.stringify(payload),
    credentials: "omit",
    cache: "no-store",
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} without JSON: ${text.slice(0, 200)}`);
  }
}

/** The operation that is meant. GraphiQL learns a moment late what has been typed, and may name one that is gone. */
function chosen({ query, operationName }) {
  let definitions;
  try {
    definitions = GraphiQL.GraphQL.parse(query).definitions;
  } catch {
    return { operationName }; // the server says what is wrong with it
  }
  const operations = definitions.filter((one) => one.kind === "OperationDefinition");
  const named = operations.find((one) => one.name?.value === operationName);
  const meant = named ?? (operations.length === 1 ? operations[0] : undefined);
  return { kind: meant?.operation, operationName: meant?.name?.value };
}

/** An observable of graphql-transport-ws; a lost connection ends it with an error instead of skipping events. */
function subscribe(payload, headers) {
  const url = new URL("graphql", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const client = graphqlWs.createClient({
    url: url.href,
    connectionParams: { Authorization: headers.get("authorization") },
    retryAttempts: 0,
  });
  return {
    subscribe(observer) {
      const unsubscribe = client.subscribe(payload, {
        next: (result) => observer.next(result),
        error: (problem) => observer.error(told(problem)),
        complete: () => observer.complete(),
      });
      return { unsubscribe };
    },
  };
}

function told(problem) {
  if (Array.isArray(problem)) return new Error(problem.map((one) => one.message).join("\n"));
  if (problem instanceof CloseEvent) {
    return new Error(`The connection was closed (${problem.code}) ${problem.reason}`.trim());
  }
  return problem;
}
