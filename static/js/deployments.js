// The page of a deployment: one snippet at a time, in the language that was chosen last.
const buttons = [...document.querySelectorAll("[data-language]")];
const KEPT = "snippet-language";

function choose(language) {
  for (const button of buttons)
    button.setAttribute("aria-pressed", button.dataset.language === language);
  for (const snippet of document.querySelectorAll("[data-snippet]"))
    snippet.hidden = snippet.dataset.snippet !== language;
  document.querySelector("[data-snippet-copy]").dataset.copy = `snippet-${language}`;
}

document.querySelector("[data-languages]")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-language]");
  if (!button) return;
  localStorage.setItem(KEPT, button.dataset.language);
  choose(button.dataset.language);
});

if (buttons.length) {
  const kept = localStorage.getItem(KEPT);
  const known = buttons.map((button) => button.dataset.language);
  document.querySelector("[data-languages]").hidden = false;
  choose(known.includes(kept) ? kept : known[0]);
}
