// The page that compares runs: draws the curves, keeps axis, scale and smoothing in the address.
import { Chart } from "./chart.js";
import { savePng } from "./png.js";
import { toast, toastError } from "./toast.js";

const page = document.getElementById("compare");
const pressed = (name) => page.querySelector(`[data-${name}] [aria-pressed=true]`).value;

/** Links and forms of the page take the view along. */
function keep(name, value) {
  const here = new URL(location);
  here.searchParams.set(name, value);
  history.replaceState(null, "", here);
  for (const link of document.querySelectorAll("a[data-keeps-view]")) {
    const url = new URL(link.href);
    url.searchParams.set(name, value);
    link.href = url;
  }
  for (const form of document.querySelectorAll("form[data-keeps-view]")) put(form, name, value);
}

function put(form, name, value) {
  let field = form.elements[name];
  if (!field) {
    field = Object.assign(document.createElement("input"), { type: "hidden", name });
    form.append(field);
  }
  field.value = value;
}

function watchSwitch(name, parameter, view, draw) {
  const group = page.querySelector(`[data-${name}]`);
  group.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    for (const other of group.children) other.setAttribute("aria-pressed", other === button);
    view[name] = button.value;
    keep(parameter, button.value);
    draw();
  });
}

function watchSmoothing(view, draw) {
  const slider = page.querySelector("#smoothing");
  slider.addEventListener("input", () => {
    view.smoothing = Number(slider.value);
    page.querySelector("output[for=smoothing]").textContent = view.smoothing.toFixed(2);
    draw();
  });
  slider.addEventListener("change", () => keep("smoothing", slider.value));
}

function watchDownloads() {
  for (const button of page.querySelectorAll("[data-png]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const box = button.closest("[data-chart]");
      const plot = box.querySelector("[data-plot]");
      const title = `${box.querySelector("h3").textContent}, by run`;
      savePng(plot, title, `compare-${box.dataset.chart}`).catch(toastError);
    });
  }
}

function watchLink() {
  document.querySelector("[data-copy-link]").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      toast("Copied.");
    } catch {
      toast("The browser does not allow it.", { level: "warning", hint: "Copy the address bar." });
    }
  });
}

async function start() {
  const view = {
    axis: pressed("axis"),
    scale: pressed("scale"),
    smoothing: Number(page.dataset.smoothing),
    scaleOf: () => [],
  };
  const charts = [...page.querySelectorAll("[data-chart]")].map((box) => new Chart(box, view));
  const draw = () => {
    for (const chart of charts) chart.draw();
  };
  for (const part of document.querySelectorAll("[data-needs-script]")) part.hidden = false;
  watchSwitch("axis", "x", view, draw);
  watchSwitch("scale", "scale", view, draw);
  watchSmoothing(view, draw);
  watchDownloads();
  watchLink();
  document.addEventListener("theme-changed", draw);
  try {
    await Promise.all(charts.map((chart) => chart.load()));
    dispatchEvent(new Event("resize")); // the cards have their height now that all are drawn
  } catch (error) {
    toastError(error);
  }
}

if (page) await start();
