"""The base model is measured after the first step where it can be, with what it measured before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from maxaillm.dev.finetune.errors import NotFiniteError
from maxaillm.dev.finetune.hf.training.base_measurement import BaseMeasurement, changed_by_steps
from maxaillm.dev.finetune.run.events import Event, read_journal
from tests.engine.conftest import Train

TOLD = ("log", "eval", "sample", "verdict", "checkpoint")
OF_THE_MACHINE = {"seconds", "tokens_per_second", "memory_bytes", "size_bytes"}
TRAINING = {"max_steps": 4, "eval_steps": 2, "save_steps": 2, "learning_rate": 1e-2}
EVALUATION = {"sample_prompts": ["Hello"], "max_new_tokens": 4}


def measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(self: BaseMeasurement, measure: Any, _trainer: object) -> None:
        self.measure = measure
        self.carry_out()

    monkeypatch.setattr(BaseMeasurement, "begin", begin)


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """What a run tells of itself, by step; of the machine nothing."""
    return sorted(
        (event.step or 0, event.kind, str({**event.data, **dict.fromkeys(OF_THE_MACHINE)}))
        for event in events
        if event.kind in TOLD
    )


@pytest.mark.parametrize("logging_steps", [1, 3])
@pytest.mark.parametrize("method", ["lora", "pissa", "adalora", "prefix"])
def test_the_run_is_the_same(
    method: str, logging_steps: int, train: Train, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = {
        "tuning": {"name": method},
        "training": {**TRAINING, "logging_steps": logging_steps},
        "evaluation": EVALUATION,
    }
    later = train(llama, **sections)
    measured_at_once(monkeypatch)
    at_once = train(llama, "at once", **sections)
    assert told(later) == told(at_once)
    assert order(at_once)[0] == ("eval", 0)
    assert order(later)[:2] == ([("log", 1), ("eval", 0)] if logging_steps == 1 else
                                [("eval", 0), ("eval", 2)])  # fmt: skip


def order(events: list[Event]) -> list[tuple[str, int | None]]:
    return [(event.kind, event.step) for event in events if event.kind in {"log", "eval"}]


def test_a_method_that_changes_the_base_measures_it_first(train: Train, llama: Path) -> None:
    events = train(llama, tuning={"name": "full"}, training={"max_steps": 1})
    assert order(events)[:2] == [("eval", 0), ("log", 1)]


def test_a_run_that_is_lost_before_is_judged_beside_it(
    train: Train, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer

    monkeypatch.setattr(StepTrainer, "pop_step", lambda _: (float("nan"), 1))
    with pytest.raises(NotFiniteError):
        train(llama, training={"max_steps": 2})
    kinds = [(e.kind, e.step) for e in read_journal(tmp_path / "run" / "events.jsonl")]
    assert kinds.index(("eval", 0)) < kinds.index(("verdict", None))


def test_running_statistics_are_put_back_too() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    model[0].requires_grad_(False)
    names = {id(tensor) for tensor in changed_by_steps(model)}
    own = {id(tensor) for tensor in (*model[1].parameters(), *model[1].buffers())}
    assert names == own
