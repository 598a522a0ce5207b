// The tab Tokens: draws how long rows are, in the colours of the page, as soon as that is known.
import { resolve } from "./chart.js";

const CONFIG = { displayModeBar: false, responsive: true };

function draw() {
  const plot = document.querySelector("#tokens [data-figure]");
  if (!plot) return;
  const { data, layout } = JSON.parse(plot.dataset.figure);
  globalThis.Plotly.react(plot, data.map(colored), resolve(layout), CONFIG);
}

/** Bars have a colour each. */
function colored(trace) {
  const color = trace.marker.color.map((name) => resolve(name));
  return { ...resolve(trace), marker: { ...trace.marker, color } };
}

document.addEventListener("htmx:afterSwap", draw);
document.addEventListener("theme-changed", draw);
draw();
