// The run page: full history first, then what the socket says, drawn at most four times a second.
import { Chart } from "./chart.js";
import { readMarks } from "./chart_marks.js";
import { follow } from "./socket.js";
import { toastError } from "./toast.js";

const DRAW_MS = 250;
const PARTS_MS = 2000;
const MOVES = ["run:moved", "run:results"];
const NEWS = { curves: [], results: ["run:results"], history: MOVES }; // by an event's section

const page = document.getElementById("run");
const view = { axis: "step", scale: "linear", smoothing: 0, scaleOf, marks: readMarks() };
const charts = [...page.querySelectorAll("[data-chart]")].map((box) => new Chart(box, view));
let seen = Number(page.dataset.seq);
let status = page.dataset.status;
let isNews = false; // a new state that was not announced yet

/** [step, epoch or tokens] pairs of the logged steps, for points that know only their step. */
function scaleOf(place) {
  const points = charts[0].traces.get("loss")?.points ?? new Map();
  const pairs = [...points].map(([step, { extra }]) => [step, extra[place]]);
  return pairs.filter(([, value]) => value !== null).sort(([a], [b]) => a - b);
}

/** Runs `work` soon, but not more often than every `ms`; the last call is never lost. */
function throttled(work, ms) {
  let timer = null;
  let last = -Infinity;
  return () => {
    if (timer !== null) return;
    timer = setTimeout(
      () => {
        timer = null;
        last = performance.now();
        work();
      },
      Math.max(0, last + ms - performance.now()),
    );
  };
}

const stale = new Set();
const draw = throttled(() => {
  for (const chart of stale) chart.draw();
  stale.clear();
  const areCurves = charts.some((chart) => !chart.isEmpty);
  page.querySelector("[data-no-curves]").hidden = areCurves;
  page.querySelector("[data-needs-script]").hidden = !areCurves;
}, DRAW_MS);

const wanted = new Set();
const fetchParts = throttled(() => {
  if (document.hidden) return;
  for (const name of wanted) document.body.dispatchEvent(new CustomEvent(name));
  wanted.clear();
}, PARTS_MS);

function want(...names) {
  for (const name of names) wanted.add(name);
  fetchParts();
}

function take(frame) {
  seen = Math.max(seen, frame.last);
  for (const event of frame.events) {
    if (event.data) for (const chart of charts) if (chart.take(event)) stale.add(chart);
    want("run:changed", "run:logged", ...NEWS[event.section]);
  }
  if (frame.events.some(({ kind }) => kind === "resumed" || kind === "succeeded")) loadAll();
  if (frame.status && frame.status !== status) {
    status = frame.status;
    isNews = true;
    want("run:changed", "run:logged", ...MOVES);
  }
  draw();
}

const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

async function loadAll() {
  try {
    const [first, ...others] = charts;
    await first.load(); // what one came for, before the rest takes server and browser
    await painted();
    await Promise.all(others.map((chart) => chart.load()));
    if (view.axis === "step") draw();
    else drawAll(); // where a step stands is known now
  } catch (error) {
    toastError(error);
  }
}

function drawAll() {
  for (const chart of charts) stale.add(chart);
  draw();
}

/** A row of buttons of which one is pressed. */
function watchSwitch(name) {
  const group = page.querySelector(`[data-${name}]`);
  group.addEventListener("click", ({ target }) => {
    const pressed = target.closest("button");
    if (!pressed) return;
    for (const button of group.children) button.setAttribute("aria-pressed", button === pressed);
    view[name] = pressed.value;
    drawAll();
  });
}

function watchSmoothing() {
  const slider = page.querySelector("#smoothing");
  slider.addEventListener("input", () => {
    view.smoothing = Number(slider.value);
    page.querySelector("output[for=smoothing]").textContent = view.smoothing.toFixed(2);
    drawAll();
  });
}

/** The log stays at its end while it is there; who reads further up is left alone. */
function keepLogAtEnd() {
  const log = () => document.getElementById("log");
  let atEnd = true;
  let top = 0;
  const toEnd = () => (log().scrollTop = atEnd ? log().scrollHeight : top);
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.target.id !== "log") return;
    top = log().scrollTop;
    atEnd = top + log().clientHeight >= log().scrollHeight - 8;
  });
  document.addEventListener("htmx:afterSwap", toEnd);
  toEnd();
}

/** The doctor's findings come anew with their marks. */
function watchMarks() {
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.id !== "run-advice") return;
    view.marks = readMarks();
    drawAll();
  });
}

/** Says a new state to those who can't see it, in the badge's own word. */
function announceState() {
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (!isNews || detail.target.id !== "run-status") return;
    isNews = false;
    const word = document.querySelector("#run-status .status").textContent.trim();
    page.querySelector("[data-announce]").textContent = `State of this run: ${word}.`;
  });
}

page.addEventListener("htmx:sendError", (event) => event.stopPropagation()); // the socket says so
watchSwitch("axis");
watchSwitch("scale");
watchSmoothing();
keepLogAtEnd();
announceState();
watchMarks();
document.addEventListener("theme-changed", drawAll);
document.addEventListener("visibilitychange", () => document.hidden || fetchParts());
follow(page.dataset.socket, {
  after: () => seen,
  onFrame: take,
  onState: (connected) => (page.querySelector("[data-paused]").hidden = connected),
});
await loadAll();
