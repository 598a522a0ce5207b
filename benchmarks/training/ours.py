"""The side that is measured: the engine, as a program calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.training.clock import Clock, Figures
from benchmarks.training.works import LEARNING_RATE, STEPS, Work


def settings(work: Work, folder: Path, precision: str) -> dict[str, object]:
    return {
        "model": {"name": str(folder), "precision": precision},
        "task": work.task,
        "data": {"train_file": str(work.rows), "max_length": work.width, "validation_share": 0},
        "training": {
            "max_steps": STEPS,
            "per_device_train_batch_size": work.batch,
            "learning_rate": LEARNING_RATE,
        },
        "tuning": work.tuning,
    }


def train(
    work: Work, folder: Path, begin: Callable[[], object] = dict, precision: str = "auto"
) -> Figures:
    """`begin` is called before the first step."""
    from maxaillm.dev.finetune.config import RunConfig
    from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
    from maxaillm.dev.finetune.run.attempt import Attempt
    from maxaillm.dev.finetune.run.events import Event

    clock, tokens = Clock(), 0.0

    def listen(event: Event) -> None:
        nonlocal tokens
        if event.data.get("name") == "train":
            begin()
            clock.start()
        elif event.kind == "log":
            tokens = float(str(event.data["tokens"]))
            clock.step()

    with Attempt(folder / "run", listen) as attempt:
        MaxHuggingFaceFineTuning(RunConfig.parse(settings(work, folder, precision)), attempt).run()
    return clock.read(tokens)
