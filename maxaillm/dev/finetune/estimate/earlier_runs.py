"""Earlier runs of this machine: how long they took beside what the formula says of them.

The formula knows sizes; kernels, caches and the machine's other work it does not know. So each
finished run leaves its two ratios, and the next estimate is corrected by those of runs alike.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from math import exp, isfinite, log
from pathlib import Path
from typing import Any, NamedTuple

from maxaillm.dev.finetune.estimate.machine import machine_name
from maxaillm.dev.finetune.processes.resources import cache_folder

FILE = "run_seconds.jsonl"
KEPT, NEWEST = 400, 8
"""Runs that the file holds, and those alike that count."""
MOST = 20.0
"""A ratio beyond it, or below its inverse, is of no run as this one, but of a stop or a sleep."""


class Likeness(NamedTuple):
    """What makes runs alike, from the most telling on."""

    task: str
    method: str
    family: str
    parameters: int


class Ratios(NamedTuple):
    """Seconds taken for each that the formula says: of the steps, and of all else."""

    steps: float
    rest: float


class EarlierRun(NamedTuple):
    machine: str
    likeness: Likeness
    ratios: Ratios


def correction(of: Likeness, folder: Path | None = None) -> Ratios | None:
    """The ratios to expect of a run, from the runs of this machine that are most like it: by task,
    method and family, else by fewer of them; near sizes count more. None without any."""
    own = [run for run in read(folder) if run.machine == machine_name()]
    for alike in (3, 2, 1, 0):
        found = [run for run in own if run.likeness[:alike] == of[:alike]][-NEWEST:]
        if found:
            weights = [nearness(run.likeness.parameters, of.parameters) for run in found]
            return Ratios(
                mean([run.ratios.steps for run in found], weights),
                mean([run.ratios.rest for run in found], weights),
            )
    return None


def nearness(one: int, other: int) -> float:
    """1 for models of one size, half as much for each doubling or so between them."""
    return exp(-abs(log(max(1, one) / max(1, other))))


def mean(values: list[float], weights: list[float]) -> float:
    """Geometric: half and double are as far from right."""
    total = sum(weights) or 1.0
    return exp(sum(w * log(value) for value, w in zip(values, weights, strict=True)) / total)


def remember(run: EarlierRun, folder: Path | None = None) -> None:
    """Write a finished run down; where nothing can be kept, nothing is."""
    if not all(isfinite(ratio) and 1 / MOST < ratio < MOST for ratio in run.ratios):
        return
    line = json.dumps([run.machine, run.likeness, run.ratios]).encode() + b"\n"
    with suppress(OSError, RuntimeError):
        path = place(folder)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        if len(kept) >= KEPT:  # the newer half stays
            path.write_bytes(b"".join(kept[KEPT // 2 :]))
        writing = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(writing, line)
        finally:
            os.close(writing)


def read(folder: Path | None) -> list[EarlierRun]:
    """What is kept, oldest first; lines that are torn or not ours are left out."""
    try:
        lines = place(folder).read_bytes().splitlines()
    except (OSError, RuntimeError):
        return []
    return [run for line in lines if (run := parsed(line)) is not None]


def parsed(line: bytes) -> EarlierRun | None:
    try:
        machine, (task, method, family, parameters), (steps, rest) = json.loads(line)
        likeness = Likeness(str(task), str(method), str(family), int(parameters))
        ratios = Ratios(between(steps), between(rest))
    except (ValueError, TypeError):
        return None
    return EarlierRun(str(machine), likeness, ratios)


def between(ratio: Any) -> float:
    """Raises ValueError where it is none that could be kept."""
    number = float(ratio)
    if not 1 / MOST < number < MOST:
        raise ValueError(ratio)
    return number


def place(folder: Path | None) -> Path:
    """Raises RuntimeError for a user without a home."""
    return (folder or cache_folder()) / FILE
