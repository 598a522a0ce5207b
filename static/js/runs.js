// The list of runs: rows refresh themselves, checked ones stay checked; a filter shows at once.
import { politePolls } from "./poll.js";

const form = document.getElementById("selected");
const chosen = new Set();
const boxes = () => [...document.querySelectorAll("#rows input[name=run]")];

function show() {
  form.querySelector("[data-count]").textContent = `${chosen.size} chosen`;
  form.hidden = chosen.size === 0;
}

politePolls();
document.querySelector("[data-filters]")?.addEventListener("change", (event) => {
  if (event.target.matches("select")) event.currentTarget.requestSubmit();
});
if (form) {
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("#rows input[name=run]")) return;
    chosen[target.checked ? "add" : "delete"](target.value);
    show();
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const box of boxes()) box.checked = chosen.has(box.value);
  });
  for (const box of boxes()) if (box.checked) chosen.add(box.value); // after the browser's own Back
  show();
}
