// The page: GraphiQL with our key bar above it and our examples beside it.
//
// Everything that GraphiQL remembers (tabs, history, headers that somebody typed) goes into sessionStorage, not into
// localStorage: queries and headers may hold keys and personal data, and should not outlive the tab.

import { Bar, Hint } from "./bar.js";
import { fetcherFor, storedKey } from "./client.js";
import { examplesPlugin, written } from "./examples.js";

const { createElement: h, useEffect, useMemo, useRef, useState } = React;
const ICON = new URL("icon.svg", import.meta.url).href;

function Page({ catalogue, first }) {
  const apiKey = useKey();
  const [query, setQuery] = useState("");
  const editor = useRef(null);
  const fetcher = useMemo(() => fetcherFor(apiKey), [apiKey]); // a new one makes GraphiQL read the schema again
  const examples = useMemo(() => examplesPlugin(catalogue, editor), [catalogue]);
  const explorer = GraphiQLPluginExplorer.useExplorerPlugin({
    query,
    onEdit: (text) => editor.current.queryEditor.setValue(text),
  });
  const plugins = useMemo(() => [examples, explorer], [examples, explorer]);
  return h(
    React.Fragment,
    null,
    h(Bar, { apiKey, icon: ICON }),
    h(Hint, { apiKey }),
    h(
      "main",
      { className: "hoc-editor" },
      h(
        GraphiQL,
        {
          fetcher,
          plugins,
          visiblePlugin: examples,
          defaultTabs: [first],
          variables: first.variables, // GraphiQL takes the query from a default tab, but not its variables
          defaultEditorToolsVisibility: "variables",
          storage: sessionStorage,
          shouldPersistHeaders: false,
          onEditQuery: setQuery,
          toolbar: { additionalContent: h(EditorHandle, { editor, onReady: setQuery }) },
        },
        h(GraphiQL.Logo, null, h("span")),
      ),
    ),
  );
}

function useKey() {
  const [apiKey, setApiKey] = useState(storedKey);
  useEffect(() => {
    const changed = () => setApiKey(storedKey());
    addEventListener("hoc:key", changed);
    return () => removeEventListener("hoc:key", changed);
  }, []);
  return apiKey;
}

/** Shows nothing; hands GraphiQL's editor context to what stands outside of it. */
function EditorHandle({ editor, onReady }) {
  const context = GraphiQL.React.useEditorContext({ nonNull: true });
  editor.current = context;
  useEffect(() => {
    if (context.queryEditor) onReady(context.queryEditor.getValue());
  }, [context.queryEditor]);
  return null;
}

/** The tab of somebody who comes for the first time; a tab that is loaded again has its own. */
function firstTab({ groups }) {
  if (sessionStorage.getItem("graphiql:tabState") !== null) return {};
  const { query, variables } = groups[0].examples[0];
  return { query, variables: written(variables) };
}

async function start() {
  const place = document.getElementById("page");
  try {
    const catalogue = await (await fetch("graphiql/examples.json")).json();
    ReactDOM.render(h(Page, { catalogue, first: firstTab(catalogue) }), place);
  } catch (problem) {
    place.textContent = `The editor could not be started: ${problem.message}`;
  }
}

start();
