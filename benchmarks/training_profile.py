"""Where the time of our training goes, by kind of work, and what the limit is.

Run: python -m benchmarks.training_profile [lora|full|classification|seq2seq]

The share of matrix products is the limit: what they leave is what could still be saved.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.training import ours
from benchmarks.training.side import THREADS
from benchmarks.training.works import STEPS, WORKS, Work, make_model

KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"),
    "attention": ("aten::_scaled_dot_product",),
    "random numbers": ("aten::random_", "aten::bernoulli_", "aten::native_dropout"),
    "optimizer": ("Optimizer.", "aten::_foreach", "aten::_fused"),
    "value by value": (
        *("aten::mul", "aten::add", "aten::sub", "aten::div", "aten::exp", "aten::pow"),
        *("aten::sum", "aten::amax", "aten::mean", "aten::rsqrt", "aten::silu", "aten::neg"),
        *("aten::gelu", "aten::relu", "aten::tanh", "aten::where", "aten::ge", "aten::max"),
        *("aten::_softmax", "aten::native_layer_norm", "aten::threshold", "aten::log"),
    ),
    "copies": ("aten::copy_", "aten::cat", "aten::fill_", "aten::index", "aten::zero_"),
}
HEADS = ("LikelihoodLossOfHead", "LinearLoss")


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "lora"
    work = WORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        make_model(work.task, Path(folder))
        microseconds = profile(work, Path(folder))
    whole = sum(microseconds.values())
    print(f"{name}: {work.says}; {STEPS} steps of {work.batch} x {work.width}, {THREADS} threads")
    for (part, kind), spent in microseconds.most_common():
        print(f"  {spent / whole:6.1%}  {part:6} {kind}")


def profile(work: Work, folder: Path) -> Counter[tuple[str, str]]:
    """Microseconds of all steps, by part of the model and kind of work."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    found: Any = profiler(activities=[ProfilerActivity.CPU])
    ours.train(work, folder, begin=found.start)
    found.stop()
    spent: Counter[tuple[str, str]] = Counter()
    for event in found.events():
        part = "head" if is_within(event, HEADS) else "layers"
        spent[part, kind_of(event.name)] += event.self_cpu_time_total
    return spent


def is_within(event: Any, names: tuple[str, ...]) -> bool:
    while event is not None:
        if event.name in names:
            return True
        event = event.cpu_parent
    return False


def kind_of(name: str) -> str:
    for kind, beginnings in KINDS.items():
        if name.startswith(beginnings):
            return kind
    return "other"


if __name__ == "__main__":
    main()
