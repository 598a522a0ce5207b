// What curves show: ticks, words beside a title, smoothed values, places between logged steps.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  around,
  ema,
  interpolated,
  logarithmic,
  whole,
  written,
} from "../../static/js/chart_values.js";

const rounded = (values) => values.map((value) => value && Number(value.toFixed(6)));

test("a moving average of a constant is that constant from the first step on", () => {
  assert.deepEqual(rounded(ema([3, 3, 3, 3], 0.9)), [3, 3, 3, 3]);
});

test("a moving average leans on the newest values", () => {
  assert.deepEqual(rounded(ema([1, 2, 4], 0.5)), [1, 1.666667, 3]);
  assert.deepEqual(ema([1, 2, 4], 0), [1, 2, 4]);
});

test("a gap in the values stays a gap and changes nothing after it", () => {
  const [first, gap, last] = ema([1, null, 2], 0.5);
  assert.equal(gap, null);
  assert.deepEqual([first, last], ema([1, 2], 0.5));
});

test("a step between two others lies on the line through them", () => {
  const known = [
    [10, 1],
    [20, 3],
    [40, 3],
  ];
  assert.equal(interpolated(known, 15), 2);
  assert.equal(interpolated(known, 20), 3);
  assert.equal(interpolated(known, 30), 3);
});

test("a step outside all others takes the value of the nearest", () => {
  const known = [
    [10, 1],
    [20, 3],
  ];
  assert.equal(interpolated(known, 5), 1);
  assert.equal(interpolated(known, 10), 1);
  assert.equal(interpolated(known, 99), 3);
  assert.equal(interpolated([], 5), null);
});

test("few decades have ticks at 1, 2 and 5, many one each or fewer", () => {
  const tick = (...y) => logarithmic([{ y }]).dtick;
  assert.equal(tick(0.5, 2), "D2");
  assert.equal(tick(1, 1000), 1);
  assert.equal(tick(1e-9, 1), 2);
});

test("a logarithmic axis passes over what has no logarithm, in every line", () => {
  assert.equal(logarithmic([{ y: [0, null, 1] }, { y: [-5, 1000] }]).dtick, 1);
  assert.equal(logarithmic([{ y: [] }]).dtick, "D2");
});

test("a value has the figures that its size makes worth reading", () => {
  const words = [1.23456, 123.456, 1234567.8, 0.00012345, 0, -2.5].map((value) =>
    written(value, ".4~g"),
  );
  assert.deepEqual(words, ["1.235", "123", "1,234,568", "1.2e-4", "0", "-2.5"]);
});

test("a share is told in per cent, bytes in MB or GB", () => {
  assert.equal(written(0.4567, ".1%"), "45.7 %");
  assert.equal(written(17_300_000, ".3s"), "17.3 MB");
  assert.equal(written(2_345_000_000, ".3s"), "2.35 GB");
});

test("no number is long", () => {
  assert.equal(written(3.9e60, ".4~g"), "3.9e60");
  assert.equal(written(3.9e60, ".0%"), "3.9e60");
  assert.equal(written(3.9e60, ".3~s"), "3.9e51 GB");
});

test("points that all have one value lie in the middle of an axis, within its bounds", () => {
  assert.deepEqual(around([2, null, 2]), [1, 3]);
  assert.deepEqual(around([0.9], { least: 0, most: 1 }), [0.45, 1]);
  assert.deepEqual(around([0], { least: 0 }), [0, 1]);
  assert.equal(around([1, 2]), null);
  assert.equal(around([null]), null);
});

test("few steps have a tick each", () => {
  assert.deepEqual(whole([0, 1]), { dtick: 1 });
  assert.deepEqual(whole([1, 400]), {});
});
