// One chart of a run: keeps its points by step, draws them with Plotly in the page's own colours.
import { drawn, writeKey } from "./chart_marks.js";
import { around, ema, interpolated, logarithmic, whole, written } from "./chart_values.js";
import { toast, toastError } from "./toast.js";

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false };
const AXES = { epoch: 0, tokens: 1, time: 2 }; // places in a point's custom data
const TITLES = { step: "steps", epoch: "epochs", tokens: "tokens", time: "min" };
const EMPTY = "–";
const THINNED = 250; // from so many points of a line on, the server may have left some out
const MOST_POINTS = 8000;
let isTipShown = false;

export class Chart {
  /** `box` is a [data-chart] figure; `view` = {axis, scale, smoothing}, shared by all charts. */
  constructor(box, view) {
    this.box = box;
    this.view = view;
    this.plot = box.querySelector("[data-plot]");
    this.now = box.querySelector("[data-now]");
    this.traces = new Map(); // metric → {look, points: step → {y, extra}}
  }

  /** Fetch the whole history anew, thinned to what can be seen. */
  async load() {
    const { data, layout } = await this.fetch();
    this.layout = layout;
    for (const line of data) {
      const { x, y, customdata, ...look } = line;
      this.traces.set(look.meta.metric, { look, points: pointsOf(line) });
    }
    this.draw();
  }

  async fetch(steps = {}) {
    const url = new URL(this.box.dataset.url, location);
    for (const [name, step] of Object.entries(steps)) url.searchParams.set(name, step);
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) throw new Error(`The curve could not be loaded: ${response.status}.`);
    return response.json();
  }

  /** What lies between two places of the axis, unthinned if it can be seen; the zoom stays. */
  async refine(from, to) {
    const shown = [...this.traces.values()].flatMap(({ look, points }) =>
      [...points.keys()].filter((step) => {
        const x = this.place(step, points.get(step).extra, look.meta.start ?? this.start());
        return x >= from && x <= to;
      }),
    );
    if (!shown.length || ![...this.traces.values()].some(({ points }) => isThinned(points))) return;
    const [low, high] = [least(shown), most(shown)];
    const { data } = await this.fetch({ low, high });
    for (const line of data) {
      const { points } = this.traces.get(line.meta.metric);
      for (const [step, point] of pointsOf(line)) points.set(step, point);
    }
    this.draw();
  }

  /** Take a log or eval event in; a step that comes again replaces the earlier one. */
  take({ step, time, data }) {
    let changed = false;
    for (const [metric, { points }] of this.traces) {
      if (!(metric in data)) continue;
      points.set(step, { y: data[metric], extra: [data.epoch ?? null, data.tokens ?? null, time] });
      changed = true;
      if (points.size > MOST_POINTS) this.thin();
    }
    return changed;
  }

  /** A page that stays open for days holds no more than can be seen. */
  async thin() {
    if (this.isThinning) return;
    this.isThinning = true;
    await this.load().catch(() => {}); // the next point tries again
    this.isThinning = false;
  }

  get isEmpty() {
    return [...this.traces.values()].every(({ points }) => points.size === 0);
  }

  draw() {
    if (!this.layout || !this.box.isConnected) return;
    this.box.hidden = this.isEmpty;
    if (this.isEmpty) return;
    const traces = [...this.traces.values()].flatMap((trace) => this.lines(trace));
    const { axis, scale } = this.view;
    const places = traces.flatMap(({ x }) => x);
    const marks = this.view.marks?.[this.box.dataset.chart] ?? [];
    const layout = resolve({
      ...this.layout,
      ...drawn(marks, (step) => this.placeOf(step)),
      // Zoom is kept while points come, and given up when the axis means something else.
      uirevision: `${axis} ${scale}`,
      xaxis: {
        ...this.layout.xaxis,
        ...(axis === "step" && whole(places)),
        ...alone(places, { least: 0 }),
        title: { text: TITLES[axis], font: { size: 11 }, standoff: 4 },
      },
      yaxis: {
        ...this.layout.yaxis,
        type: scale,
        ...(scale === "log" ? logarithmic(traces) : this.vertical(traces)),
      },
    });
    layout.xaxis.title.font.color = token("var(--ink-3)");
    this.write(); // before the plot takes what room the words leave
    writeKey(this.box, marks);
    globalThis.Plotly.react(this.plot, traces, layout, CONFIG);
    if (!this.isWatched) this.watchZoom();
  }

  /** The vertical axis of points that all have one value, within the metric's bounds. */
  vertical(traces) {
    const { minallowed: least, maxallowed: most } = this.layout.yaxis;
    return alone(
      traces.flatMap(({ y }) => y),
      { least, most },
    );
  }

  /** Who zooms in sees more, and is told the way out the first time. */
  watchZoom() {
    this.isWatched = true;
    this.plot.on("plotly_relayout", (change) => {
      if (!("xaxis.range[0]" in change)) return;
      this.refine(change["xaxis.range[0]"], change["xaxis.range[1]"]).catch(toastError);
      if (isTipShown) return;
      isTipShown = true;
      toast("Double-click the chart to see all of it again.", { level: "info" });
    });
  }

  /** The lines of one metric: as measured and, if asked for, smoothed over it. */
  lines({ look, points }) {
    const steps = [...points.keys()].sort((a, b) => a - b);
    const start = look.meta.start ?? this.start();
    const x = steps.map((step) => this.place(step, points.get(step).extra, start));
    const y = steps.map((step) => points.get(step).y);
    const mode = look.mode.includes("markers") || steps.length === 1 ? "lines+markers" : "lines";
    const smooth = this.view.smoothing > 0 && !look.mode.includes("markers");
    const raw = { ...look, x, y, mode, opacity: smooth ? 0.3 : 1 };
    const lines = [resolve(raw)];
    if (smooth) {
      const evened = { ...look, x, y: ema(y, this.view.smoothing), mode, hoverinfo: "skip" };
      lines.push(resolve({ ...evened, hovertemplate: undefined }));
    }
    return lines;
  }

  /** Where a step stands on the chosen axis; evaluations know only step and time. */
  place(step, extra, start) {
    const { axis } = this.view;
    if (axis === "step") return step;
    if (axis === "time") return (extra[AXES.time] - start) / 60;
    return extra[AXES[axis]] ?? interpolated(this.view.scaleOf(AXES[axis]), step);
  }

  /** Where any step stands, measured or not; null before the first point. */
  placeOf(step) {
    if (this.view.axis === "step") return step;
    const start = this.start();
    const known = [...this.traces.values()].flatMap(({ points }) =>
      [...points].map(([at, { extra }]) => [at, this.place(at, extra, start)]),
    );
    return interpolated(
      known.filter(([, x]) => x !== null).sort(([a], [b]) => a - b),
      step,
    );
  }

  start() {
    const times = [...this.traces.values()].flatMap(({ points }) =>
      points.size ? [points.values().next().value.extra[AXES.time]] : [],
    );
    return Math.min(...times);
  }

  /** The newest values beside the title. */
  write() {
    this.now.replaceChildren(
      ...[...this.traces.values()].map(({ look, points }) => this.word(look, points)),
    );
  }

  word(look, points) {
    const newest = Math.max(...points.keys());
    const value = points.size ? points.get(newest).y : null;
    const format = this.layout.yaxis.tickformat;
    const word = document.createElement("b");
    word.textContent =
      value === null ? (points.size ? "no number" : EMPTY) : written(value, format);
    if (this.traces.size === 1) return word;
    const entry = document.createElement("span");
    const key = document.createElement("i");
    key.className = "key";
    key.dataset.series = look.meta.series;
    entry.append(key, `${look.name} `, word);
    return entry;
  }
}

const pointsOf = ({ x, y, customdata }) =>
  new Map(x.map((step, i) => [step, { y: y[i], extra: customdata[i] }]));
const isThinned = (points) => points.size >= THINNED;
const least = (values) => values.reduce((a, b) => Math.min(a, b));
const most = (values) => values.reduce((a, b) => Math.max(a, b));

function alone(values, bounds) {
  const range = around(values, bounds);
  return range && { range };
}

const colors = new Map(); // asking the browser for one costs a layout of the page
const forget = () => colors.clear();
document.addEventListener("theme-changed", forget);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", forget);

const token = (value) => {
  const name = value.slice(4, -1);
  if (!colors.has(name)) colors.set(name, colorOf(name));
  return colors.get(name);
};

const colorOf = (name) => {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.className = "probe";
  document.body.append(probe);
  probe.style.setProperty("color", `var(${name})`);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
};

/** A copy in which every `var(--token)` is the colour it stands for in the present theme. */
export function resolve(value) {
  if (typeof value === "string") return value.startsWith("var(--") ? token(value) : value;
  if (!value || typeof value !== "object") return value;
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(resolve) : value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
}
