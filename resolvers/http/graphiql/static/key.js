// Takes the API key out of the link's fragment (#key=hoc_...) before anything else runs, and out of the address bar.
//
// A fragment never leaves the browser, so no server or proxy logs it. From there on the key lives in sessionStorage:
// it outlives reloading the page, but not the tab; no other tab sees it, and nothing is sent along with requests.
(() => {
  const takeKey = () => {
    const given = new URLSearchParams(location.hash.slice(1)).get("key");
    if (given === null) return;
    sessionStorage.setItem("hoc:key", given.trim());
    history.replaceState(null, "", location.pathname + location.search);
    dispatchEvent(new Event("hoc:key"));
  };
  takeKey();
  addEventListener("hashchange", takeKey); // somebody pastes the link into a tab that is open
})();
