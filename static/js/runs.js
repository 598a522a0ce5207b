// The list of runs: rows refresh themselves, checked ones stay checked; a filter shows at once.
import { politePolls } from "./poll.js";

const form = document.getElementById("selected");
const chosen = new Set();
const boxes = () => [...document.querySelectorAll("#rows input[name=run]")];

const pageBox = () => document.querySelector("[data-choose-page]");
const everything = form?.querySelector("[data-choose-all]");

function show() {
  const all = everything?.checked;
  form.querySelector("[data-count]").textContent = all ? "All chosen" : `${chosen.size} chosen`;
  form.hidden = chosen.size === 0 && !all;
  const here = boxes().filter((box) => box.checked).length;
  const box = pageBox();
  if (!box) return;
  box.hidden = boxes().length === 0;
  box.checked = here > 0 && here === boxes().length;
  box.indeterminate = here > 0 && !box.checked;
}

function choose(box, isChosen) {
  box.checked = isChosen;
  chosen[isChosen ? "add" : "delete"](box.value);
}

politePolls();
document.querySelector("[data-filters]")?.addEventListener("change", (event) => {
  if (event.target.matches("select")) event.currentTarget.requestSubmit();
});
if (form) {
  document.addEventListener("change", ({ target }) => {
    if (target === pageBox()) for (const box of boxes()) choose(box, target.checked);
    else if (target.matches("#rows input[name=run]")) choose(target, target.checked);
    else if (target !== everything) return;
    show();
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const box of boxes()) box.checked = chosen.has(box.value);
    show();
  });
  for (const box of boxes()) if (box.checked) chosen.add(box.value); // after the browser's own Back
  show();
}
