// The form of a run: after each change the server says anew what applies, what is wrong and what
// will happen; the page is changed to match, so that nothing is lost under the hands.
import { Idiomorph } from "../vendor/idiomorph.esm.js";
import { send } from "./http.js";
import { toast } from "./toast.js";

const WAIT_MS = 300;
const form = document.getElementById("run-form");
const parts = document.getElementById("run-parts");
let timer = null;
let changes = 0;

/** Ask what the form has to be now. An answer to what has changed since is thrown away. */
async function refresh() {
  const asked = changes;
  const response = await send("POST", form.dataset.refresh, { body: new FormData(form) });
  if (!response.ok || asked !== changes) return;
  const html = await response.text();
  if (asked !== changes) return;
  const next = document.createElement("template");
  next.innerHTML = html; // our own template, escaped by the server
  keepFigures(next.content);
  const setAside = next.content.querySelector("[data-set-aside]")?.dataset.setAside;
  Idiomorph.morph(parts, next.content, {
    morphStyle: "innerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated: (name, _node, kind) => !(name === "open" && kind === "remove"),
    },
  });
  tellZone();
  window.htmx.process(parts); // a part of the preview comes later
  if (setAside) toast(`Not used here, so left out: ${setAside}.`);
}

/** While a field is wrong there are no figures: the last good ones stay, marked as such. */
function keepFigures(next) {
  const [old, empty] = [
    parts.querySelector("#figures"),
    next.querySelector("#figures[data-empty]"),
  ];
  if (!empty || old.hasAttribute("data-empty")) return;
  const kept = old.cloneNode(true);
  kept.setAttribute("data-stale", "");
  empty.replaceWith(kept);
}

/** Put a value into the field of a path, as if it were typed. */
function fill(path, value) {
  const field = form.elements.namedItem(path.replaceAll(".", "-"));
  const next = value ?? "";
  const now = field?.type === "checkbox" ? field.checked : field?.value;
  if (!field || String(now) === String(next)) return;
  if (field.type === "checkbox") field.checked = value;
  else field.value = next;
  field.closest?.("details")?.setAttribute("open", "");
  field.dispatchEvent?.(new Event("change", { bubbles: true }));
  changed();
}

/** Put all values of a fix or a preset, JSON by path, into their fields. */
function fillAll(values) {
  for (const [path, value] of Object.entries(JSON.parse(values))) fill(path, value);
}

/** Go to a field, wherever it is folded away. */
function jump(id) {
  const field = document.getElementById(id);
  for (let fold = field?.closest("details"); fold; fold = fold.parentElement.closest("details"))
    fold.open = true;
  field?.focus({ preventScroll: true });
  field?.scrollIntoView({ block: "center" });
}

/** Below the learning rate: the recommendation as a fact, or as a button where another was typed. */
function showRate() {
  const isOwn = form.elements["training-learning_rate"].value !== "";
  form.querySelector("[data-use-rate]").hidden = !isOwn;
  form.querySelector("[data-rate-used]").hidden = isOwn;
}

/** The moment that was typed by the clock of this browser; and whose clock that is. */
function tellZone() {
  const typed = form.elements["later-start_at"].value;
  const moment = new Date(typed);
  form.elements["later-start_at_utc"].value = Number.isNaN(moment.getTime())
    ? ""
    : moment.toISOString();
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const place of form.querySelectorAll("[data-zone]")) place.textContent = zone;
}

function changed(event) {
  form.elements.typed.value = "1"; // from now on it is kept as a draft
  // A model of the list and one that is typed take turns.
  if (event?.target.name === "model-name") form.elements["model-other"].value = "";
  const preset = event?.target.closest("[name=preset]");
  if (preset) fillAll(preset.dataset.fix);
  changes++;
  showRate();
  tellZone();
  clearTimeout(timer);
  timer = setTimeout(refresh, WAIT_MS);
}

for (const name of ["input", "change"]) form.addEventListener(name, changed);
form.addEventListener("click", (event) => {
  const link = event.target.closest("[data-jump]");
  if (link) {
    event.preventDefault();
    jump(link.hash.slice(1));
  }
  const fix = event.target.closest("button[data-fix]");
  if (fix) fillAll(fix.dataset.fix);
  if (!event.target.closest("[data-use-rate]")) return;
  fill("training.learning_rate", null);
  form.elements["training-learning_rate"].focus();
});
form.querySelector(".is-invalid")?.focus(); // the server sent the form back with its mistakes
tellZone();
refresh();
