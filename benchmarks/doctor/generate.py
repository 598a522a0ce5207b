"""Trains the corpus of the run doctor, run by run; what is there already is not trained again.

Run: OMP_NUM_THREADS=1 nice python -m benchmarks.doctor.generate [--only WORD] [--file FILE]
Needs the folder of real data files and small models that the tests know: MAXFT_TEST_DATA=FOLDER.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.doctor.conditions import Case, Condition, Files, corpus, rows_for
from benchmarks.doctor.families import Family, write
from benchmarks.doctor.record import FILE, Record, read

NO_END = (
    "{% for message in messages %}{{ '\nQ: ' if message.role == 'user' else '\nA: ' }}"
    "{{ message.content }}{% endfor %}{% if add_generation_prompt %}{{ '\nA: ' }}{% endif %}"
)
"""A chat template that writes nothing where an answer ends."""


def settings(case: Case, model: Path, files: list[Path]) -> dict[str, Any]:
    family, condition, seed, method = case
    train, validation = files
    return {
        "model": {"name": str(model), "precision": "fp32"},
        "data": {
            "train_file": str(train),
            "max_length": condition.width or family.width * (3 if condition.long_prompts else 1),
        }
        | ({"validation_file": str(validation)} if condition.validation_rows else {}),
        "training": {
            "max_steps": round(family.steps * condition.times_steps),
            "per_device_train_batch_size": family.batch,
            "lr_scheduler_type": condition.schedule,
            "max_grad_norm": condition.clip,
            "seed": seed,
        },
        "tuning": {"name": method},
    }


def model_for(family: Family, condition: Condition, folder: Path) -> Path:
    found = family.model(folder)
    if not condition.never_ends:
        return found
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = folder / f"{family.name} without end"
    tokenizer = AutoTokenizer.from_pretrained(found)
    tokenizer.chat_template = NO_END
    AutoModelForCausalLM.from_pretrained(found).save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


@contextmanager
def watched_batches(limit: int | None) -> Iterator[list[set[int]]]:
    """The rows of each step; with a limit, more sequences at once are refused as by a device."""
    import torch

    from maxaillm.dev.finetune.hf.training.trainers.objective import TaskTrainer
    from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer

    taken, get, compute = [], StepTrainer.get_batch_samples, TaskTrainer.compute_loss

    def noted(self: Any, *given: Any, **named: Any) -> Any:
        window, count = get(self, *given, **named)
        taken.append({int(row) for batch in window for row in batch["rows"].flatten() if row >= 0})
        return window, count

    def limited(self: Any, model: Any, inputs: Any, *given: Any, **named: Any) -> Any:
        if limit and len(inputs["labels"]) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return compute(self, model, inputs, *given, **named)

    with (
        patch.object(StepTrainer, "get_batch_samples", noted),
        patch.object(TaskTrainer, "compute_loss", limited),
    ):
        yield taken


def trained(case: Case, folder: Path) -> Record:
    from benchmarks.doctor.observed import ObservedTuning
    from maxaillm.dev.finetune.config import RunConfig
    from maxaillm.dev.finetune.errors import FineTuneError
    from maxaillm.dev.finetune.estimate import estimate
    from maxaillm.dev.finetune.run.attempt import Attempt

    family, condition, seed, _ = case
    files = rows_for(family, condition, seed)
    paths = [write(folder / f"{name}.jsonl", getattr(files, name)) for name in files._fields[:3]]
    given = settings(case, model_for(family, condition, folder), paths[:2])
    rate = estimate(RunConfig.parse(given)).learning_rate or 0
    given["training"]["learning_rate"] = min(1.0, rate * condition.times_rate)
    began = time.process_time()
    with (
        watched_batches(condition.memory_limit) as batches,
        tempfile.TemporaryDirectory(dir=folder) as place,
        Attempt(Path(place), lambda event: None) as attempt,
    ):
        tuning = ObservedTuning(given, attempt)
        tuning.observe(paths[2], condition.slow)
        try:
            tuning.run()
        except FineTuneError as error:
            tuning.unseen.failed = error.code
        tuning.finish_exam()
    note_what_was_done(tuning, condition, batches, files)
    return Record(
        group=case.group,
        condition=condition.name,
        data=condition.data,
        seconds=time.process_time() - began,
        verdict=tuning.verdict.code if tuning.verdict else "",
        history=tuning.history,
        unseen=tuning.unseen,
    )


def note_what_was_done(
    tuning: Any, condition: Condition, batches: list[set[int]], files: Files
) -> None:
    unseen, examples = tuning.unseen, tuning.rows.examples
    unseen.memory_limit, unseen.has_poison = condition.memory_limit, bool(files.poisoned)
    unseen.poisoned_steps = [
        step
        for step, rows in enumerate(batches, start=1)
        if any(int(examples[row]) in files.poisoned for row in rows)
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="a word in the names of runs")
    parser.add_argument("--file", type=Path, default=FILE)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    known = {found.name for found in read(asked.file)} if asked.file.exists() else set()
    with tempfile.TemporaryDirectory() as folder:
        for case in corpus():
            if case.name in known or asked.only not in case.name:
                continue
            began = time.monotonic()
            found = trained(case, Path(folder))
            with asked.file.open("a", encoding="utf-8") as opened:
                opened.write(found.dumped() + "\n")
            took = time.monotonic() - began
            print(f"{case.name}: {found.seconds:.1f} s of the processor, {took:.1f} s", flush=True)


if __name__ == "__main__":
    main()
