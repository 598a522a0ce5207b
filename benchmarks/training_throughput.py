"""Useful tokens a second, and peak memory, beside the padded Trainer and LLaMA-Factory.

Run: python -m benchmarks.training_throughput [lora|full|classification|seq2seq ...]

All train the same model on the same rows, one after the other, each in its own process. Tokens
count where they are no padding; of a text-to-text model, those of the source.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.training.clock import Figures
from benchmarks.training.side import SIDES, THREADS, lacking, measure
from benchmarks.training.works import DROPOUT, STEPS, WORKS, Work, make_model

LLAMAFACTORY_TARGET = 1.5
TARGET_SHARE = TARGET_MEMORY = 0.45
WEIGHTS = 17.3e6
"""Of the Llama; each meets each token once, the head's being the embedding's as well."""


def main() -> None:
    for name in sys.argv[1:] or WORKS:
        compare(name)


def compare(name: str) -> None:
    work, sides = WORKS[name], dict[str, Figures]()
    print(f"{name}: {work.says}")
    with tempfile.TemporaryDirectory() as folder:
        make_model(work.task, Path(folder))
        for side in SIDES:
            if reason := lacking(side, name):
                print(f"  {side:12} left out: {reason}")
                continue
            sides[side] = measure(side, name, Path(folder))
            print(f"  {side:12} {line(sides[side])}", flush=True)
        machine = measure("machine", name, Path(folder))
    targets = {"padded": work.target, "llamafactory": LLAMAFACTORY_TARGET}
    for peer, target in targets.items():
        if peer in sides:
            print(f"  against {peer}: {ratios(sides['ours'], sides[peer], target)}")
    print(f"  {share(work, sides['ours'], machine)}")
    print(
        f"  conditions: {work.rows.name}, {STEPS} steps of {work.batch} x {work.width}, AdamW, "
        f"peers in fp32, ours by default in the quicker precision, LoRA dropout {DROPOUT:g}, "
        f"{THREADS} threads of {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def rate(figures: Figures, clock: str) -> float:
    return figures["tokens"] / figures[clock]


def line(figures: Figures) -> str:
    return (
        f"{rate(figures, 'wall'):8,.0f} tokens/s  {rate(figures, 'cpu'):8,.0f} a processor second"
        f"  peak {figures['peak_mb']:6,.0f} MB  first step after {figures['first_step']:.1f} s"
    )


def ratios(ours: Figures, theirs: Figures, target: float) -> str:
    wall, cpu = (rate(ours, clock) / rate(theirs, clock) for clock in ("wall", "cpu"))
    memory = ours["peak_mb"] / theirs["peak_mb"]
    return (
        f"{wall:.2f} x by the clock, {cpu:.2f} x by processor time (target {target:g} x), "
        f"{memory:.0%} of its memory (target {TARGET_MEMORY:.0%})"
    )


def share(work: Work, ours: Figures, machine: Figures) -> str:
    """How much of the matrix product rate went into weights times useful tokens."""
    says = f"matrix products: {machine['wall'] / 1e9:.0f} GFLOP/s"
    if work.flops_per_weight is None:
        return says
    flops = work.flops_per_weight * WEIGHTS
    wall, cpu = (flops * rate(ours, clock) / machine[clock] for clock in ("wall", "cpu"))
    return (
        f"{says}; ours uses {wall:.0%} by the clock, {cpu:.0%} by processor time "
        f"({work.flops_per_weight} x 17.3 M FLOP a useful token; target {TARGET_SHARE:.0%})"
    )


if __name__ == "__main__":
    main()
