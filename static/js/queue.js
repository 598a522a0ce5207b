// Fetches itself every few seconds, politely; own runs are ordered by dragging as well as by buttons.
import { politePolls } from "./poll.js";

politePolls();

let dragged = null;
const itemOf = (event) => event.target.closest?.(".queue-item");

document.addEventListener("dragstart", (event) => {
  const item = itemOf(event);
  if (!item?.draggable) return;
  dragged = item;
  item.classList.add("is-dragged");
  event.dataTransfer.effectAllowed = "move";
});
document.addEventListener("dragend", () => {
  dragged?.classList.remove("is-dragged");
  unmark();
  dragged = null;
});
document.addEventListener("dragover", (event) => {
  const item = itemOf(event);
  unmark();
  if (!dragged || !item?.draggable) return;
  event.preventDefault();
  item.classList.add("is-over");
});
document.addEventListener("drop", (event) => {
  const item = itemOf(event);
  if (!dragged || !item?.draggable || item === dragged) return;
  event.preventDefault();
  const form = document.getElementById("queue-drop");
  form.elements.run.value = dragged.dataset.run;
  const isBelow = dragged.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING;
  const before = isBelow ? item.nextElementSibling : item;
  form.elements.before.value = before?.dataset.run ?? "";
  form.submit();
});
// A part that comes while one drags would take the dragged row away.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (dragged) event.detail.shouldSwap = false;
});

function unmark() {
  for (const item of document.querySelectorAll(".is-over")) item.classList.remove("is-over");
}
