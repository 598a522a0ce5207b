// The theme button: system, light, dark, and round again; kept in this browser.
const NEXT = { system: "light", light: "dark", dark: "system" };
const WORDS = { system: "like the system", light: "light", dark: "dark" };

const current = () => document.documentElement.dataset.bsTheme ?? "system";

function apply(theme) {
  if (theme === "system") {
    localStorage.removeItem("theme");
    delete document.documentElement.dataset.bsTheme;
  } else {
    localStorage.setItem("theme", theme);
    document.documentElement.dataset.bsTheme = theme;
  }
  document.dispatchEvent(new CustomEvent("theme-changed"));
}

function name(button) {
  const label = `Theme: ${WORDS[current()]}`;
  button.setAttribute("aria-label", label);
  button.title = label;
}

/** Wires the buttons; charts listen to `theme-changed` and read their colours again. */
export function watchTheme() {
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    name(button);
    button.addEventListener("click", () => {
      apply(NEXT[current()]);
      name(button);
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new CustomEvent("theme-changed")),
  );
}
