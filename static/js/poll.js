// Parts that fetch themselves every few seconds: not while nobody looks, not under a reader's hands.
export function politePolls(root = document.body) {
  root.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.target.closest?.("[data-poll]");
    if (!part || event.target !== part) return;
    if (document.hidden || part.contains(document.activeElement)) event.preventDefault();
  });
  root.addEventListener("htmx:sendError", (event) => {
    if (event.target.matches("[data-poll]")) event.stopPropagation(); // the next one may come through
  });
}
