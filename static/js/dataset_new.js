// The page "Add data": drop zone, uploads with progress. Without this module a plain form does it.
import { get } from "./http.js";
import { icon } from "./toast.js";
import { Upload } from "./upload.js";

const form = document.getElementById("upload-form");
const picker = form.querySelector("#files");
const list = document.getElementById("uploads");
const drop = document.getElementById("drop");
const CHECK_MS = 1000;
/** What a check may come to: the state of its line, an icon, words. */
const OUTCOMES = {
  ready: ({ rows, bad_rows: bad }) => [
    "done",
    "done",
    `ready, ${inRows(rows)}${bad ? `; ${inRows(bad)} can't be trained on` : ""}`,
  ],
  needs_mapping: () => ["asked", "alert", "say which column is which"],
  invalid: ({ error }) => ["failed", "error", error?.message ?? "not usable"],
};
const inRows = (count) => `${count.toLocaleString("en")} row${count === 1 ? "" : "s"}`;
const UNITS = ["bytes", "kB", "MB", "GB"];

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (picker.files.length) start([...picker.files]);
  else picker.focus();
});
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.dataset.over = "";
});
drop.addEventListener("dragleave", () => delete drop.dataset.over);
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  delete drop.dataset.over;
  if (event.dataTransfer.files.length) start([...event.dataTransfer.files]);
});

/** One after the other; a single file leads to its page, several stay listed with their links. */
async function start(files) {
  const name = files.length === 1 ? form.querySelector("#name").value : "";
  list.hidden = false;
  picker.value = "";
  const lines = files.map(lineOf);
  for (const line of lines) await send(line, name);
  if (lines.length === 1 && lines[0].made) location.assign(lines[0].made.url);
}

async function send(line, name) {
  if (line.upload.state === "stopped") return;
  try {
    line.made = await line.upload.run(name);
    say(line, "clock", `${line.made.name} is being checked`);
    follow(line);
  } catch (error) {
    if (line.upload.state === "stopped") return line.item.remove();
    line.words.textContent = `${error.message} ${error.hint ?? ""}`;
    line.item.dataset.state = "failed";
  }
  line.stop.remove();
}

/** Ask for the check of a file until it is over, however many were sent, and say what came of it. */
async function follow(line) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    if (!line.item.isConnected) return;
    if (document.hidden) continue;
    const dataset = await get(`/api/v1/datasets/${line.made.id}`).catch((error) => error);
    if (dataset.status === 404) return line.item.remove(); // it was deleted meanwhile
    const outcome = OUTCOMES[dataset.status];
    if (!outcome) continue; // being checked, or the server is away
    const [state, sign, words] = outcome(dataset);
    line.item.dataset.state = state;
    return say(line, sign, `${line.made.name}: ${words}`);
  }
}

function say(line, sign, words) {
  const link = Object.assign(document.createElement("a"), { href: line.made.url });
  link.textContent = words;
  line.words.replaceChildren(icon(sign), " ", link);
}

function lineOf(file) {
  const item = document.createElement("li");
  const title = Object.assign(document.createElement("span"), {
    className: "file",
    textContent: file.name,
  });
  const bar = Object.assign(document.createElement("progress"), { max: file.size || 1, value: 0 });
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  const words = Object.assign(document.createElement("span"), { className: "upload-words" });
  words.textContent = "Waits for the file before it";
  const stop = Object.assign(document.createElement("button"), {
    type: "button",
    className: "btn btn-quiet",
  });
  stop.textContent = "Stop";
  stop.setAttribute("aria-label", `Stop the upload of ${file.name}`);
  item.append(title, stop, bar, words);
  list.append(item);
  const line = { item, bar, words, stop, made: null };
  line.upload = new Upload(file, form.dataset.uploads, (upload) => show(line, upload));
  stop.addEventListener("click", () => {
    line.upload.discard();
    item.remove();
  });
  return line;
}

function show({ item, bar, words }, upload) {
  const { file, sent, state } = upload;
  item.dataset.state = state;
  bar.value = file.size ? sent : 1;
  const far = `${inUnits(sent)} of ${inUnits(file.size)}`;
  words.textContent =
    state === "waiting" ? `${far} · the connection is lost, trying again` : `${far}${pace(upload)}`;
}

function pace({ rate, file, sent }) {
  const speed = rate.bytesPerSecond;
  if (speed <= 0 || sent >= file.size) return "";
  return ` · ${inUnits(speed)}/s · ${inTime((file.size - sent) / speed)} left`;
}

function inUnits(bytes) {
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  return `${(bytes / 1000 ** step).toFixed(step ? 1 : 0)} ${UNITS[step]}`;
}

function inTime(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
