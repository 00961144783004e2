// The panel of example operations, and how one is opened: in a tab of its own, with variables that work.

import { ask } from "./client.js";

const { createElement: h, useState } = React;
const WEEK_MS = 7 * 24 * 3600 * 1000;

const MADE_HERE = {
  $now: () => new Date().toISOString(),
  $nextWeek: () => new Date(Date.now() + WEEK_MS).toISOString(),
  $unique: (prefix) => prefix + crypto.getRandomValues(new BigUint64Array(1))[0].toString(36),
};

/** The plugin; `editor` is a reference to GraphiQL's editor context. */
export function examplesPlugin({ groups, ...rules }, editor) {
  return {
    title: "Examples",
    icon: () =>
      h(
        "svg",
        { viewBox: "0 0 24 24", height: "1em", fill: "none", stroke: "currentColor", strokeWidth: 1.5 },
        h("path", { d: "M4 5h9M4 10h9M4 15h6M15 11.5v7l6-3.5z", strokeLinecap: "round", strokeLinejoin: "round" }),
      ),
    content: () => h(Examples, { groups, open: (example) => open(example, rules, editor) }),
  };
}

function Examples({ groups, open }) {
  const [opening, setOpening] = useState(null);
  const choose = async (example) => {
    setOpening(example.name);
    try {
      await open(example);
    } finally {
      setOpening(null);
    }
  };
  return h(
    "section",
    { className: "hoc-examples", "aria-label": "Examples" },
    h("div", { className: "graphiql-doc-explorer-title" }, "Examples"),
    h("p", null, "Choose one and press play. Variables are filled in below the query."),
    groups.map(({ title, examples }) =>
      h(
        "div",
        { key: title },
        h("h2", null, title),
        examples.map((example) =>
          h(
            "button",
            {
              key: example.name,
              type: "button",
              className: `hoc-${example.kind}`,
              disabled: opening !== null,
              onClick: () => choose(example),
            },
            example.name,
            h("small", null, example.kind),
          ),
        ),
      ),
    ),
  );
}

/** Open it in the tab that has it already, or in a new one. */
async function open({ name, query, variables }, rules, editor) {
  const values = { query, variables: written(await filled(variables, rules)), operationName: name };
  const place = editor.current.tabs.findIndex((tab) => tab.query === query);
  if (place < 0) editor.current.addTab();
  else editor.current.changeTab(place);
  editor.current.queryEditor.setValue(query);
  editor.current.variableEditor.setValue(values.variables);
  editor.current.updateActiveTabValues(values); // the tab itself would learn it a moment later
}

/** Variables as the pane shows them; nothing where there are none. */
export const written = (variables) => (Object.keys(variables).length ? JSON.stringify(variables, null, 2) : "");

async function filled(value, rules) {
  if (Array.isArray(value)) return Promise.all(value.map((one) => filled(one, rules)));
  if (typeof value === "object" && value !== null) {
    const pairs = Object.entries(value).map(async ([name, inner]) => [name, await filled(inner, rules)]);
    return Object.fromEntries(await Promise.all(pairs));
  }
  if (Object.hasOwn(MADE_HERE, value)) return MADE_HERE[value](rules.prefix);
  return Object.hasOwn(rules.lookups, value) ? found(rules.lookups[value]) : value;
}

async function found({ query, prefix, missing }) {
  try {
    const { data, errors } = await ask(query);
    return idIn(data, prefix) ?? `(${errors?.[0]?.message ?? missing})`;
  } catch (problem) {
    return `(${problem.message})`;
  }
}

/** The first id in an answer, of an object whose name begins so when that is asked for. */
function idIn(value, prefix) {
  if (typeof value !== "object" || value === null) return undefined;
  if (typeof value.id === "string" && (value.name ?? "").startsWith(prefix)) return value.id;
  for (const inner of Object.values(value)) {
    const id = idIn(inner, prefix);
    if (id !== undefined) return id;
  }
  return undefined;
}
