// What the run doctor saw, drawn on its chart: a span or single steps, a short label, a key in words.

const COLORS = { bad: "var(--bad)", warn: "var(--warn)", note: "var(--accent)" };
const MOST_LINES = 20; // more would be a fence
const LINE = 0.09; // the height of a label, as a part of the plot

/** The marks that the page holds, by the names of their charts. */
export function readMarks() {
  const holder = document.querySelector("[data-marks]");
  return Object.groupBy(JSON.parse(holder?.dataset.marks ?? "[]"), ({ chart }) => chart);
}

/** Plotly's shapes and annotations; `placeOf` says where a step stands on the axis, or null. */
export function drawn(marks, placeOf) {
  const placed = marks
    .map((mark) => ({ ...mark, x0: placeOf(mark.from), x1: placeOf(mark.to) }))
    .filter(({ x0, x1 }) => x0 !== null && x1 !== null);
  return {
    shapes: placed.flatMap((mark) => shapes(mark, placeOf)),
    annotations: placed.map(annotation),
  };
}

function shapes({ level, x0, x1, steps }, placeOf) {
  if (!steps.length) return x0 === x1 ? [line(level, x0)] : [span(level, x0, x1), line(level, x0)];
  const places = steps.slice(0, MOST_LINES).map(placeOf);
  return places.filter((x) => x !== null).map((x) => line(level, x));
}

const vertical = { xref: "x", yref: "paper", y0: 0, y1: 1, layer: "below" };
const span = (level, x0, x1) => ({
  ...vertical,
  ...{ type: "rect", x0, x1, fillcolor: COLORS[level], opacity: 0.12, line: { width: 0 } },
});
const line = (level, x) => ({
  ...vertical,
  ...{ type: "line", x0: x, x1: x, line: { color: COLORS[level], width: 1.2, dash: "dot" } },
});

/** A label at the top of its mark, each a line lower than the one before. */
function annotation({ level, label, x0 }, row) {
  return {
    text: label,
    x: x0,
    y: 1 - row * LINE,
    xref: "x",
    yref: "paper",
    xanchor: "auto",
    yanchor: "top",
    showarrow: false,
    font: { color: COLORS[level], size: 12 },
    bgcolor: "var(--surface)",
    borderpad: 1,
  };
}

/** The same in words under the plot, each a link to its finding; nothing where there are none. */
export function writeKey(box, marks) {
  box.querySelector(".chart-marks")?.remove();
  if (!marks.length) return;
  const list = document.createElement("ul");
  list.className = "chart-marks";
  list.append(...marks.map(entry));
  box.append(list);
}

function entry({ code, level, text }) {
  const item = document.createElement("li");
  item.dataset.level = level;
  const key = document.createElement("i");
  key.className = "key";
  const link = document.createElement("a");
  link.href = `#finding-${code}`;
  link.textContent = text;
  item.append(key, " ", link);
  return item;
}
