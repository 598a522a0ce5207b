"""Checkpoints are made whole beside the training, in order, and never told of before they are."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import DiskFullError, NotFiniteError
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run import checkpoints
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.checkpoints import newest_verified
from maxaillm.dev.finetune.run.events import Event, read_journal
from tests import tiny

PATIENCE = 60
Commit = Callable[..., Any]


class Run:
    """A run of eight steps with a checkpoint at 3, 6 and 8; `heard` is called at each event."""

    def __init__(self, base: Path, data: Path, folder: Path, **options: Any) -> None:
        training = {"max_steps": 8, "save_steps": 3, "save_total_limit": 9} | options
        self.config = RunConfig.parse(tiny.run_config(base, data, training=training))
        self.root = folder
        self.heard: list[Event] = []
        self.listener: Callable[[Event], None] = self.heard.append

    def train(self) -> list[Event]:
        with Attempt(self.root, self.listener) as attempt:
            MaxHuggingFaceFineTuning(self.config, attempt).run()
        return list(read_journal(self.root / "events.jsonl"))

    @property
    def told(self) -> list[int | None]:
        return [e.step for e in read_journal(self.root / "events.jsonl") if e.kind == "checkpoint"]


@pytest.fixture
def run(llama: Path, chats: Path, tmp_path: Path) -> Run:
    return Run(llama, chats, tmp_path / "run")


def replaced(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None]) -> None:
    """Call `before` with the step when the thread begins to commit a checkpoint."""
    real: Commit = checkpoints.commit

    def commit(staged: Path, folder: Path, step: int, facts: Any) -> Any:
        before(step)
        return real(staged, folder, step, facts)

    monkeypatch.setattr(checkpoints, "commit", commit)


def test_training_goes_on_while_a_checkpoint_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first save is held until two more steps are made: a save that waited would never end."""
    went_on = threading.Event()
    seen: list[bool] = []
    folder = run.root / "checkpoints" / "step-0000003"

    def listen(event: Event) -> None:
        if event.kind == "log" and event.step == 5:
            assert not folder.exists()
            assert run.told == []
            went_on.set()

    run.listener = listen
    replaced(monkeypatch, lambda step: seen.append(went_on.wait(PATIENCE)))
    events = run.train()
    assert seen == [True, True, True]
    order = [(e.kind, e.step) for e in events if e.kind in {"log", "checkpoint", "saved"}]
    assert order.index(("checkpoint", 3)) > order.index(("log", 5))
    assert [step for kind, step in order if kind == "checkpoint"] == [3, 6, 8]
    assert order[-1][0] == "saved"
    for name in ("step-0000003", "step-0000006", "step-0000008"):
        checkpoints.Checkpoint.read(run.root / "checkpoints" / name).verify()


@pytest.mark.parametrize("failing", [3, 8])
def test_a_disk_that_fills_up_beside_the_training_ends_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    def fail(step: int) -> None:
        if step == failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    replaced(monkeypatch, fail)
    with pytest.raises(DiskFullError, match="No space left"):
        run.train()
    last = list(read_journal(run.root / "events.jsonl"))[-1]
    assert (last.kind, last.data["code"]) == ("failed", "disk_full")
    assert run.told == ([] if failing == 3 else [3, 6])
    newest, damaged = newest_verified([run.root / "checkpoints"])
    assert (newest and newest.step) == (None if failing == 3 else 6)
    assert not damaged


def test_a_run_that_fails_still_keeps_the_checkpoint_under_way(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def listen(event: Event) -> None:
        if event.kind == "log" and event.step == 4:
            failed.set()
            raise NotFiniteError("loss became NaN at step 4", "Lower the learning rate.")

    run.listener = listen
    replaced(monkeypatch, lambda step: assert_(failed.wait(PATIENCE)))
    with pytest.raises(NotFiniteError):
        run.train()
    assert run.told == [3]
    assert newest_verified([run.root / "checkpoints"])[0] is not None


def test_a_save_that_fails_with_the_run_is_said_beside_its_failure(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def listen(event: Event) -> None:
        if event.kind == "log" and event.step == 4:
            failed.set()
            raise NotFiniteError("loss became NaN at step 4", "Lower the learning rate.")

    def fail(step: int) -> None:
        failed.wait(PATIENCE)
        raise OSError(errno.EIO, "Input/output error")

    run.listener = listen
    replaced(monkeypatch, fail)
    with pytest.raises(NotFiniteError):
        run.train()
    warnings = [str(e.data["message"]) for e in read_journal(run.root / "events.jsonl")
                if e.kind == "warning"]  # fmt: skip
    assert any("checkpoint of step 3" in text and "Input/output" in text for text in warnings)
    assert run.told == []


def test_all_checkpoints_are_whole_before_the_model_is_measured_and_saved(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = MaxHuggingFaceFineTuning.evaluate
    seen: list[list[int | None]] = []

    def evaluate(self: Any, trainer: Any = None) -> Any:
        seen.append(run.told)
        return real(self, trainer)

    monkeypatch.setattr(MaxHuggingFaceFineTuning, "evaluate", evaluate)
    replaced(monkeypatch, lambda step: time.sleep(0.5 * (step == 8)))
    run.train()
    assert seen == [[3, 6, 8]]


def assert_(held: bool) -> None:
    assert held


def test_a_run_that_gets_no_more_threads_writes_its_checkpoints_itself(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorBoard's files, which need one too, end with a word; the run goes on."""
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("checkpoint") or type(thread).__name__ == "_EventLoggerThread":
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    events = run.train()
    assert events[-1].kind == "succeeded"
    assert run.told == [3, 6, 8]
    newest, damaged = newest_verified([run.root / "checkpoints"])
    assert (newest and newest.step) == 8
    assert not damaged
    said = [e.data["message"] for e in events if e.kind == "warning"]
    assert len([text for text in said if "TensorBoard" in text]) == 1
