// What the run doctor saw, as shapes and labels of a chart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawn } from "../../static/js/chart_marks.js";

const mark = { level: "warn", label: "rises", from: 10, to: 30, steps: [] };
const same = (step) => step;

test("a span is filled and begins with a line", () => {
  const { shapes, annotations } = drawn([mark], same);
  assert.deepEqual(
    shapes.map(({ type, x0, x1 }) => [type, x0, x1]),
    [
      ["rect", 10, 30],
      ["line", 10, 10],
    ],
  );
  assert.deepEqual([annotations[0].text, annotations[0].x], ["rises", 10]);
});

test("single steps are lines, and never a fence of them", () => {
  const steps = Array.from({ length: 100 }, (_, at) => at);
  const { shapes } = drawn([{ ...mark, steps }], same);
  assert.equal(shapes.length, 20);
  assert.ok(shapes.every(({ type }) => type === "line"));
});

test("marks lie where the axis has their steps, and not where it has none", () => {
  const { shapes } = drawn([mark], (step) => step / 10);
  assert.deepEqual([shapes[0].x0, shapes[0].x1], [1, 3]);
  assert.deepEqual(
    drawn([mark], () => null),
    { shapes: [], annotations: [] },
  );
});

test("labels of several marks lie below each other", () => {
  const [first, second] = drawn([mark, mark], same).annotations;
  assert.ok(second.y < first.y);
});
