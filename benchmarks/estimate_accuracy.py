"""What `estimate` says a run needs beside what the run then takes: memory and time.

Run: python -m benchmarks.estimate_accuracy [part of a case's name]

Each case trains a model with random weights for a few steps in a process of its own, as the
command does. Memory is the most that the process ever held (its maximum resident set). Times are
of the processor, on one thread: of a step after the first, and of what is measured and written
before and after. Other programs on the machine change neither by much.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from math import log
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.made_up import (
    CAUSAL,
    CLASSES,
    MASKED,
    PAIRS,
    PREFERENCE,
    SIZES,
    TAGS,
    make_model,
    row_of,
)
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.estimate import Foreseen, estimate, foresee
from maxaillm.dev.finetune.processes.resources import peak_rss_bytes

TARGET = 0.15
"""How far the memory that is told may be from what was measured."""
FACTOR = 1.5
"""The same of a time, as a factor either way."""
STEPS = 6
FOLDER = Path(__file__).parents[1]


class Case(NamedTuple):
    """A run."""

    family: str
    size: str
    task: str
    method: str
    batch: int
    length: int
    recompute: bool = False
    packing: bool = True
    answers: bool = False
    """Whether answers are written, to held-out rows and to a prompt."""

    def __str__(self) -> str:
        words = [self.family, self.size, self.task, self.method, f"{self.batch}x{self.length}"]
        words += ["recompute"] * self.recompute + ["padded"] * (not self.packing)
        return " ".join(words + ["answers"] * self.answers)


CASES = (
    Case("llama", "tiny", CAUSAL, "full", 4, 128, answers=True),
    Case("llama", "small", CAUSAL, "lora", 8, 256, answers=True),
    Case("llama", "medium", CAUSAL, "full", 4, 256),
    Case("llama", "small", PREFERENCE, "lora", 4, 128),
    Case("llama", "medium", PREFERENCE, "full", 4, 128),
    Case("llama", "small", CLASSES, "ia3", 4, 256),
    Case("gpt2", "small", CAUSAL, "full", 16, 128),
    Case("gpt2", "medium", CAUSAL, "lora", 8, 128, recompute=True),
    Case("t5", "small", PAIRS, "full", 8, 128, answers=True),
    Case("t5", "medium", PAIRS, "lora", 4, 256),
    Case("bert", "tiny", CLASSES, "full", 32, 32),
    Case("bert", "small", MASKED, "lora", 8, 256),
    Case("bert", "small", TAGS, "lora", 8, 64),
    Case("bert", "medium", CLASSES, "full", 4, 512),
)


class Taken(NamedTuple):
    """Seconds of the processor."""

    step: float
    rest: float
    """Measuring, writing and saving, before the first step and after the last."""


class Outcome(NamedTuple):
    said: Foreseen
    memory_bytes: int
    peak_bytes: int
    taken: Taken

    @property
    def memory(self) -> float:
        return self.memory_bytes / self.peak_bytes

    @property
    def step(self) -> float:
        return self.said.parts.steps / self.said.job.steps / self.taken.step

    @property
    def rest(self) -> float:
        return (self.said.parts.evaluations + self.said.parts.answers) / self.taken.rest


class Workshop:
    """Makes each model once, and runs cases in folders of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cache  # noqa: B019 - lives as long as the program
    def model(self, family: str, size: str) -> Path:
        return make_model(self.root / f"{family}-{size}", family, SIZES[size])

    def settings(self, case: Case) -> dict[str, Any]:
        data = self.root / f"{case.task}-{case.batch}-{case.length}.jsonl"
        count = case.batch * STEPS * 10 // 9  # all are seen, so the largest batch is among them
        rows = (row_of(case.task, number, case.length) for number in range(count))
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {
            "task": case.task,
            "model": {
                "name": str(self.model(case.family, case.size)),
                "gradient_checkpointing": case.recompute,
                "precision": "fp32",
            },
            "data": {
                "train_file": str(data),
                "max_length": case.length,
                "packing": case.packing,
                "validation_share": 0.1,
            },
            "training": {
                "max_steps": STEPS,
                "per_device_train_batch_size": case.batch,
                "learning_rate": 1e-5,
            },
            "tuning": {"name": case.method},
            "evaluation": self.evaluation(case),
        }

    def evaluation(self, case: Case) -> dict[str, Any]:
        if case.answers:
            prompts = {"sample_prompts": ["round soft"], "max_new_tokens": 32}
            return {"metrics": ["perplexity", "exact_match"], **prompts}
        return {"metrics": ["perplexity"]} if case.task == PAIRS else {}

    def run(self, case: Case) -> Outcome:
        settings = self.settings(case)
        config = RunConfig.parse(settings)
        told = estimate(config, kept=self.root)  # where nothing is kept: by the formula alone
        file, output = self.root / "run.json", self.root / "output.txt"
        file.write_text(json.dumps(settings))
        run = self.root / str(case).replace(" ", "-")
        command = [sys.executable, "-m", "benchmarks.estimate_accuracy", RUN, str(file), str(run)]
        with output.open("w") as told_by:
            child = subprocess.Popen(command, cwd=FOLDER, stdout=told_by, stderr=subprocess.STDOUT)
            status = child.wait()
        if status:
            raise SystemExit(f"{case}: {output.read_text()[-2000:]}")
        peak, *seconds = json.loads(output.read_text().splitlines()[-1])
        return Outcome(foresee(config), told.memory_bytes.total, peak, Taken(*seconds))


def run_once(file: str, folder: str) -> None:
    """Train, and print the most memory that was held, by the process itself, for its parent may
    have held more, and the processor's seconds of a step and of all that is measured."""
    from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
    from maxaillm.dev.finetune.run.attempt import Attempt
    from maxaillm.dev.finetune.run.events.journal import Event

    steps: list[float] = []
    marks: dict[str, float] = {}

    def note(event: Event) -> None:
        now = time.process_time()
        if event.kind == "log":
            steps.append(now)
        elif event.kind == "stage":
            marks[str(event.data["name"])] = now

    with Attempt(Path(folder), note) as attempt:
        MaxHuggingFaceFineTuning(json.loads(Path(file).read_text()), attempt).run()
    step = (steps[-1] - steps[0]) / (len(steps) - 1)
    begun = steps[0] - step  # the first step warms up
    rest = begun - marks["train"] + marks["save"] - steps[-1]
    print(json.dumps([peak_rss_bytes(), step, rest]))


def main(wanted: str = "") -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # for what is told, too
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"Load {load}; {STEPS} steps each, one thread; said / taken of each")
    print(f"{'case':58} memory           step          measured and written")
    worst = {"memory": 1.0, "step": 1.0, "rest": 1.0}
    with tempfile.TemporaryDirectory() as root:
        shop = Workshop(Path(root))
        for case in (case for case in CASES if wanted in str(case)):
            found = shop.run(case)
            print(
                f"{case!s:58} {found.memory:4.2f} of {found.peak_bytes / 1e6:5.0f} MB "
                f"{found.step:4.2f} of {found.taken.step * 1e3:5.0f} ms "
                f"{found.rest:4.2f} of {found.taken.rest:5.2f} s",
                flush=True,
            )
            for name, value in worst.items():
                worst[name] = max(value, getattr(found, name), key=lambda ratio: abs(log(ratio)))
    print(f"worst: {', '.join(f'{name} {value:.2f}' for name, value in worst.items())}")
    print(f"targets: memory within {TARGET:.0%}, times within a factor of {FACTOR}")


RUN = "--run"

if __name__ == "__main__":
    if sys.argv[1:2] == [RUN]:
        run_once(*sys.argv[2:4])
    else:
        main(*sys.argv[1:2])
