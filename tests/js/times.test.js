// Times as the server writes them, growing older.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ago } from "../../static/js/times.js";

test("a time is told as the server tells it", () => {
  const words = [0, -10, 50, -50, 200, 7500, 3600, 273_600, 172_800].map(ago);
  assert.deepEqual(words, [
    "just now",
    "in a moment",
    "1 min ago",
    "in 1 min",
    "3 min ago",
    "2 h 5 min ago",
    "1 h ago",
    "3 d 4 h ago",
    "2 d ago",
  ]);
});
