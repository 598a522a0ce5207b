// One chart of a run: keeps its points by step, draws them with Plotly in the page's own colours.
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };
const AXES = { epoch: 0, tokens: 1, time: 2 }; // places in a point's custom data
const TITLES = { step: "steps", epoch: "epochs", tokens: "tokens", time: "min" };
const EMPTY = "–";

export class Chart {
  /** `box` is a [data-chart] figure; `view` = {axis, scale, smoothing}, shared by all charts. */
  constructor(box, view) {
    this.box = box;
    this.view = view;
    this.plot = box.querySelector("[data-plot]");
    this.now = box.querySelector("[data-now]");
    this.traces = new Map(); // metric → {look, points: step → {y, extra}}
  }

  /** Fetch the whole history anew; points that came meanwhile stay. */
  async load() {
    const response = await fetch(this.box.dataset.url, { credentials: "same-origin" });
    if (!response.ok) throw new Error(`The curve could not be loaded: ${response.status}.`);
    const { data, layout } = await response.json();
    this.layout = layout;
    for (const { x, y, customdata, ...look } of data) {
      const points = new Map(x.map((step, i) => [step, { y: y[i], extra: customdata[i] }]));
      this.traces.set(look.meta.metric, { look, points });
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
    }
    return changed;
  }

  draw() {
    if (!this.layout || !this.box.isConnected) return;
    const traces = [...this.traces.values()].flatMap((trace) => this.lines(trace));
    const { axis, scale } = this.view;
    const layout = resolve({
      ...this.layout,
      // Zoom is kept while points come, and given up when the axis means something else.
      uirevision: `${axis} ${scale}`,
      xaxis: { ...this.layout.xaxis, title: { text: TITLES[axis], font: { size: 11 }, standoff: 4 } },
      yaxis: { ...this.layout.yaxis, type: scale, ...(scale === "log" && logarithmic(traces)) },
    });
    layout.xaxis.title.font.color = token("var(--ink-3)");
    globalThis.Plotly.react(this.plot, traces, layout, CONFIG);
    this.write();
  }

  /** The lines of one metric: as measured and, if asked for, smoothed over it. */
  lines({ look, points }) {
    const steps = [...points.keys()].sort((a, b) => a - b);
    const x = steps.map((step) => this.place(step, points.get(step).extra));
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
  place(step, extra) {
    const { axis } = this.view;
    if (axis === "step") return step;
    if (axis === "time") return (extra[AXES.time] - this.start()) / 60;
    return extra[AXES[axis]] ?? this.between(step, AXES[axis]);
  }

  start() {
    const times = [...this.traces.values()].flatMap(({ points }) =>
      points.size ? [points.values().next().value.extra[AXES.time]] : [],
    );
    return Math.min(...times);
  }

  /** Read a step's epoch or tokens off the steps around it. */
  between(step, place) {
    const known = this.view.scaleOf(place);
    const next = known.findIndex(([other]) => other >= step);
    if (next === -1) return known.at(-1)?.[1] ?? null;
    const [[s1, v1], [s2, v2]] = [known[Math.max(0, next - 1)], known[next]];
    return s1 === s2 ? v2 : v1 + ((v2 - v1) * (step - s1)) / (s2 - s1);
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
    word.textContent = value === null ? (points.size ? "no number" : EMPTY) : written(value, format);
    if (this.traces.size === 1) return word;
    const entry = document.createElement("span");
    const key = document.createElement("i");
    key.className = "key";
    key.dataset.series = look.meta.series;
    entry.append(key, `${look.name} `, word);
    return entry;
  }
}

/** A logarithmic axis: a tick a decade, or at 1, 2 and 5 where there are few; zero bounds nothing. */
function logarithmic(traces) {
  const values = traces.flatMap(({ y }) => y).filter((value) => value > 0);
  const span = Math.log10(Math.max(...values) / Math.min(...values));
  return { dtick: span > 1.5 ? Math.ceil(span / 5) : "D2", minallowed: null, maxallowed: null };
}

/** A value in words: its size decides how many figures are worth reading. */
function written(value, format) {
  const size = Math.abs(value);
  if (format.includes("%")) return `${(100 * value).toFixed(1)} %`;
  if (format.includes("s")) return size < 1e9 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e9).toFixed(2)} GB`;
  if (size > 0 && size < 1e-3) return value.toExponential(1).replace("e+", "e");
  return value.toLocaleString("en", size >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 });
}

/** Exponential moving average, its start corrected as Adam corrects its own; gaps stay gaps. */
function ema(values, weight) {
  let mean = 0;
  let seen = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    seen += 1;
    return mean / (1 - weight ** seen);
  });
}

const token = (value) => {
  const name = value.slice(4, -1);
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
