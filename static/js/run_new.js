// The form of a run: what will happen is worked out again after each change.
import { send } from "./http.js";

const WAIT_MS = 300;
const form = document.getElementById("run-form");
let timer = null;
let asked = 0;

/** Ask anew; of several answers under way only the newest counts. */
async function refresh() {
  const mine = ++asked;
  const response = await send("POST", form.dataset.preview, { body: new FormData(form) });
  if (!response.ok || mine !== asked) return;
  const html = await response.text();
  if (mine !== asked) return;
  const preview = document.getElementById("preview");
  const hadFocus = preview.contains(document.activeElement);
  const open = preview.querySelector("details")?.open;
  preview.innerHTML = html; // our own template, escaped by the server
  window.htmx.process(preview); // a part of it comes later
  const details = preview.querySelector("details");
  if (details && open) details.open = true;
  if (hadFocus) preview.querySelector("button")?.focus();
  showRefused();
}

/** A method that can't tune this model on these data is not on offer, and says why. */
function showRefused() {
  const refused = JSON.parse(document.querySelector("[data-refused]").dataset.refused);
  for (const radio of form.querySelectorAll("[name=tuning-name]")) {
    const reason = refused[radio.value] ?? "";
    const told = radio.closest("label").querySelector("[data-refusal]");
    radio.disabled = Boolean(reason) && !radio.checked;
    told.textContent = reason;
    told.hidden = !reason;
  }
}

/** Put a value into the field of a path, as if it were typed. */
function fill(path, value) {
  const field = form.elements.namedItem(path.replaceAll(".", "-"));
  if (!field) return;
  if (field.type === "checkbox") field.checked = value;
  else field.value = value ?? "";
  field.closest("details")?.setAttribute("open", "");
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Below the learning rate: the recommendation as a fact, or as a button where another was typed. */
function showRate() {
  const isOwn = form.elements["training-learning_rate"].value !== "";
  form.querySelector("[data-use-rate]").hidden = !isOwn;
  form.querySelector("[data-rate-used]").hidden = isOwn;
}

function changed(event) {
  if (event.target.closest("#preview")) return; // only what is told of the form has changed
  showRate();
  clearTimeout(timer);
  timer = setTimeout(refresh, WAIT_MS);
}

for (const name of ["input", "change", "htmx:afterSettle"]) form.addEventListener(name, changed);
form.addEventListener("click", (event) => {
  const fix = event.target.closest("[data-fix]");
  for (const [path, value] of Object.entries(JSON.parse(fix?.dataset.fix ?? "{}")))
    fill(path, value);
  if (!event.target.closest("[data-use-rate]")) return;
  fill("training.learning_rate", null);
  form.elements["training-learning_rate"].focus();
});
form.querySelector(".is-invalid")?.focus(); // the server sent the form back with its mistakes
refresh();
showRefused();
