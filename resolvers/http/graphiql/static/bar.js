// The bar above the editor: whose server this is, and whether the key opens it.

import { ask, keep } from "./client.js";

const { createElement: h, useEffect, useState } = React;
const WHO = "{ viewer { tenant role actor { name } } }";
const CHECKING = { state: "checking", text: "checking the key…" };

/** The bar, for the key that is in use; "" when there is none. */
export function Bar({ apiKey, icon }) {
  const standing = useStanding(apiKey);
  return h(
    "header",
    { className: "hoc-bar" },
    h("img", { src: icon, alt: "", width: 24, height: 24 }),
    h("h1", null, "HOC Spine"),
    h("span", { className: "hoc-subtitle" }, "GraphQL"),
    h("span", { className: `hoc-standing hoc-${standing.state}`, role: "status" }, standing.text),
    apiKey && standing.state !== "refused" ? h(InUse, { apiKey }) : h(KeyForm, { key: apiKey }),
  );
}

/** What is missing, in a sentence, for as long as it is missing. */
export function Hint({ apiKey }) {
  if (apiKey) return null;
  return h(
    "p",
    { className: "hoc-hint" },
    "To run queries and to read the documentation, paste an API key. ",
    h("code", null, "hoc demo"),
    " prints a link that holds one, and ",
    h("code", null, "hoc keys create"),
    " makes one. It stays in this tab.",
  );
}

function useStanding(apiKey) {
  const [standing, setStanding] = useState(CHECKING);
  useEffect(() => {
    let current = true;
    const say = (found) => current && setStanding(found);
    if (!apiKey) say({ state: "none", text: "no key" });
    else {
      say(CHECKING);
      standingOf(apiKey).then(say);
    }
    return () => {
      current = false;
    };
  }, [apiKey]);
  return standing;
}

async function standingOf(apiKey) {
  try {
    const { data, errors } = await ask(WHO, apiKey);
    if (!data?.viewer) return { state: "refused", text: errors?.[0]?.message ?? "the key was refused" };
    const { tenant, role, actor } = data.viewer;
    return { state: "admitted", text: [tenant, role, actor.name].filter(Boolean).join(" · ") };
  } catch (problem) {
    return { state: "refused", text: problem.message };
  }
}

function InUse({ apiKey }) {
  return h(
    "span",
    { className: "hoc-key" },
    h("code", { title: "The key that is in use" }, `${apiKey.split("_").slice(0, 3).join("_")}_…`),
    h("button", { type: "button", onClick: () => keep("") }, "Forget key"),
  );
}

function KeyForm() {
  const [typed, setTyped] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (typed.trim()) keep(typed.trim());
  };
  return h(
    "form",
    { className: "hoc-key", onSubmit: submit },
    h("input", {
      type: "password",
      "aria-label": "API key",
      placeholder: "API key: hoc_…",
      autoComplete: "off",
      spellCheck: false,
      value: typed,
      onChange: (event) => setTyped(event.target.value),
    }),
    h("button", { type: "submit" }, "Use key"),
  );
}
