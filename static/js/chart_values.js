// Numbers of a chart: on a logarithmic axis, in words, smoothed, between two steps.

/** A logarithmic axis: a tick a decade, or at 1, 2 and 5 where there are few; zero bounds nothing. */
export function logarithmic(traces) {
  const values = traces.flatMap(({ y }) => y).filter((value) => value > 0);
  const span = Math.log10(Math.max(...values) / Math.min(...values));
  return { dtick: span > 1.5 ? Math.ceil(span / 5) : "D2", minallowed: null, maxallowed: null };
}

/** A range around values that are all the same, which would else be an axis of invented numbers;
 * null where they differ or there are none. */
export function around(values, { least = -Infinity, most = Infinity } = {}) {
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  if (!known.length || low < high) return null;
  const room = Math.abs(low) / 2 || 1;
  return [Math.max(low - room, least), Math.min(high + room, most)];
}

/** A tick a step where there are few: there is no half a step. */
export function whole(steps) {
  const span = Math.max(...steps) - Math.min(...steps);
  return span < 6 ? { dtick: 1 } : {};
}

/** A value in words: its size decides how many figures are worth reading, and none is long. */
export function written(value, format) {
  const size = Math.abs(value);
  if (format.includes("s")) return inBytes(value);
  if (size >= 1e9 || (size > 0 && size < 1e-3 && !format.includes("%"))) return powers(value);
  if (format.includes("%")) return `${(100 * value).toFixed(1)} %`;
  return value.toLocaleString(
    "en",
    size >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 },
  );
}

const powers = (value) => value.toExponential(1).replace("e+", "e");

function inBytes(value) {
  if (value >= 1e15) return `${powers(value / 1e9)} GB`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e9).toFixed(2)} GB`;
}

/** Exponential moving average, its start corrected as Adam corrects its own; gaps stay gaps. */
export function ema(values, weight) {
  let mean = 0;
  let seen = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    seen += 1;
    return mean / (1 - weight ** seen);
  });
}

/** The value at `step`, on the line through `known`: [step, value] pairs in order; null for none. */
export function interpolated(known, step) {
  const next = known.findIndex(([other]) => other >= step);
  if (next === -1) return known.at(-1)?.[1] ?? null;
  const [[s1, v1], [s2, v2]] = [known[Math.max(0, next - 1)], known[next]];
  return s1 === s2 ? v2 : v1 + ((v2 - v1) * (step - s1)) / (s2 - s1);
}
