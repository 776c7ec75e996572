// Light or dark, before anything is painted: what the person chose on this page, or
// else what the system says. A classic script, because modules run too late for this.
(() => {
  const key = "commshub-theme";
  const order = ["system", "light", "dark"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    const kept = localStorage.getItem(key);
    return order.includes(kept) ? kept : "system";
  };
  const apply = () => {
    const name = chosen();
    document.documentElement.dataset.theme = name === "system" ? (dark.matches ? "dark" : "light") : name;
    globalThis.theme.changed?.();
  };
  const next = () => {
    localStorage.setItem(key, order[(order.indexOf(chosen()) + 1) % order.length]);
    apply();
  };
  globalThis.theme = { chosen, next, changed: null };
  dark.addEventListener("change", apply);
  apply();
})();
