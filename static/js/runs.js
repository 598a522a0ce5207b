// The list of runs: rows refresh themselves; a filter shows its effect at once.
import { politePolls } from "./poll.js";

politePolls();
document.querySelector("[data-filters]")?.addEventListener("change", (event) => {
  if (event.target.matches("select")) event.currentTarget.requestSubmit();
});
