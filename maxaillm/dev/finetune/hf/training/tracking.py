"""Trackers of a run: its curves for MLflow, Weights & Biases, Trackio or Comet, by transformers'
own callbacks.

Each tracker is written to by a thread of its own. It may fail, or hang for as long as it likes: the
run never waits for it but for a moment before its end, and says what has become of it.
"""

from __future__ import annotations

import copy
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, NamedTuple

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.run.attempt import Attempt, Observer
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events.journal import Event
from maxaillm.dev.finetune.run.events.kinds import (
    EvalEvent,
    FailedEvent,
    LogEvent,
    StageEvent,
    TrackedEvent,
)
from maxaillm.dev.finetune.run.folder import write_atomically
from maxaillm.dev.finetune.run.tensorboard_files import TensorBoardFiles, scalars
from maxaillm.dev.finetune.trackers import RUN_ADDRESS, Tracker, lacking, trackers

PATIENCE_SECONDS = 120.0
"""So long may a tracker take for one thing; a server that starts takes a minute."""
LAST_SECONDS = 10.0
"""How long the run waits before it saves its model, and at its end, for what is on the way."""
MOST_WAITING = 20_000
"""Points that a tracker may be behind."""
KEYS = "trackers.json"
"""In the folder of an attempt: the trackers' own names of the run, by tracker."""
FILES = frozenset({"data.train_file", "data.validation_file", "data.test_file"})
"""Paths of this machine say nothing elsewhere."""


def observers(
    config: RunConfig, attempt: Attempt, trainer: Any, resume: Checkpoint | None
) -> list[Observer]:
    """What writes the curves of a run for other programs: TensorBoard always, trackers as asked."""
    run = partial(describe, config, trainer.model, trainer.args)
    files = TensorBoardFiles(attempt.folder, attempt.warn, resume)
    return [files, Tracking(config, attempt, run, resume)]


class Described(NamedTuple):
    """What a tracker is told of a run: no weights, and nothing that a thread could change."""

    arguments: Any
    """TrainingArguments, which call themselves by the run's name and options."""
    model: SimpleNamespace


def describe(config: RunConfig, model: Any, arguments: Any) -> Described:
    options = flat(config.model_dump(mode="json"))
    facts = {name: value for name, value in options if name not in FILES}
    if address := os.environ.get(RUN_ADDRESS):
        facts["run_address"] = address
    told = copy.copy(arguments)
    told.run_name = config.name or None
    told.trackio_static_space_id = False  # nobody asked for a second, public copy of the curves
    told.to_dict = lambda: dict(facts)
    count = sum(p.numel() for p in model.parameters())
    return Described(told, SimpleNamespace(config=model.config, num_parameters=lambda: count))


def flat(section: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Options by their paths."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{at}{name}.")
        else:
            yield f"{at}{name}", value


class TrackerThread(threading.Thread):
    """Writes events to one tracker, in order."""

    def __init__(self, tracker: type[Tracker], run: Described, key: str) -> None:
        super().__init__(name=f"tracker-{trackers.name_of(tracker)}", daemon=True)
        self.tracker, self.described, self.earlier_key = tracker, run, key
        self.waiting: SimpleQueue[Event | None] = SimpleQueue()
        self.failure: Exception | None = None
        self.begun: tuple[str, str] | None = None
        """Key and address, once there is a run in the tracker."""
        self.busy_since: float | None = None
        self.is_given_up = self.is_announced = False

    def run(self) -> None:
        try:
            self.follow()
        except Exception as error:
            self.failure = error
            raise  # its traceback belongs into the log

    def follow(self) -> None:
        import transformers.integrations

        self.busy_since = time.monotonic()
        with environment(self.tracker.going_on if self.earlier_key else {}, self.earlier_key):
            callback = getattr(transformers.integrations, self.tracker.callback)()
            self.tell(callback, "on_train_begin", 0)
        self.begun = self.tracker.key(callback), self.tracker.address(callback)
        self.busy_since = None
        has_failed = False
        while (event := self.waiting.get()) is not None and not self.is_given_up:
            self.busy_since = time.monotonic()
            has_failed |= event.kind == FailedEvent.kind
            if event.kind in {LogEvent.kind, EvalEvent.kind}:
                self.tell(callback, "on_log", event.step or 0, logs=logs_of(event))
            self.busy_since = None
        self.busy_since = time.monotonic()
        self.tracker.end(callback, has_failed=has_failed)
        self.tell(callback, "on_train_end", 0)

    def tell(self, callback: Any, what: str, step: int, **given: Any) -> None:
        from transformers import TrainerControl, TrainerState

        state = TrainerState(global_step=step, is_world_process_zero=True)
        arguments, model = self.described
        getattr(callback, what)(arguments, state, TrainerControl(), model=model, **given)

    @property
    def trouble(self) -> str:
        """Why no more can be expected of it; empty where nothing is wrong."""
        if self.failure is not None:
            return f"{type(self.failure).__name__}: {self.failure}"[:500]
        since = self.busy_since
        if since is not None and time.monotonic() - since > PATIENCE_SECONDS:
            return f"it has not answered for {PATIENCE_SECONDS:.0f} s"
        if self.waiting.qsize() > MOST_WAITING:
            return f"it is {MOST_WAITING:,} points behind"
        return ""


def logs_of(event: Event) -> dict[str, float]:
    """A point by the names that transformers' Trainer logs by: `loss`, `eval_loss`."""
    return {
        name.removeprefix("train/").replace("eval/", "eval_", 1): value
        for name, value in scalars(event).items()
    }


@contextmanager
def environment(variables: Mapping[str, str], key: str) -> Iterator[None]:
    """Variables of the environment for this block, as libraries read them when they begin."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: value.format(key=key) for name, value in variables.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Tracking:
    """A listener of an attempt that passes its curves on to the trackers of the run."""

    def __init__(
        self,
        config: RunConfig,
        attempt: Attempt,
        run: Callable[[], Described],
        resume: Checkpoint | None = None,
    ) -> None:
        self.attempt = attempt
        names = config.training.report_to
        for lack in lacking(names):
            attempt.warn(lack.message, lack.hint)
        self.keys = read_keys(resume.folder.parent.parent / KEYS) if resume else {}
        self.threads = [
            TrackerThread(trackers[name], run(), self.keys.get(name, ""))
            for name in names
            if not lacking([name])
        ]

    def __call__(self, event: Event) -> None:
        for thread in list(self.threads):
            self.pass_on(thread, event)

    def pass_on(self, thread: TrackerThread, event: Event) -> None:
        thread.waiting.put(event)
        if thread.ident is None and not self.start(thread):
            return
        if isinstance(event.payload, StageEvent) and event.payload.name == "save":
            self.settle(thread)
        self.announce(thread)
        if trouble := thread.trouble:
            self.give_up(thread, trouble)

    def start(self, thread: TrackerThread) -> bool:
        try:
            thread.start()
        except RuntimeError as refusal:  # the system gives no thread
            self.give_up(thread, str(refusal))
        return thread.ident is not None

    def settle(self, thread: TrackerThread) -> None:
        """Wait a moment: what goes wrong is still said in the run's journal then."""
        until = time.monotonic() + LAST_SECONDS
        while time.monotonic() < until and thread.is_alive():
            if thread.begun and thread.waiting.empty() and thread.busy_since is None:
                return
            time.sleep(0.02)

    def announce(self, thread: TrackerThread) -> None:
        """Say once where the tracker has the run, and keep by which name it goes on there."""
        if thread.begun is None or thread.is_announced:
            return
        thread.is_announced = True
        key, address = thread.begun
        self.keys[trackers.name_of(thread.tracker)] = key
        with suppress(OSError):  # a run that goes on elsewhere begins a new one there, no more
            write_atomically(self.attempt.folder.root / KEYS, json.dumps(self.keys).encode())
        self.attempt.emit(TrackedEvent(tracker=thread.tracker.label, address=address))

    def give_up(self, thread: TrackerThread, why: str) -> None:
        thread.is_given_up = True
        self.threads.remove(thread)
        label = thread.tracker.label
        self.attempt.warn(
            f"{label} gets no more of this run: {why.rstrip('.')}.",
            "The run goes on, and its own curves have everything.",
        )

    def close(self) -> None:
        """Let them write what waits, for a moment."""
        until = time.monotonic() + LAST_SECONDS
        for thread in self.threads:
            thread.waiting.put(None)
        for thread in self.threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))
        self.threads = []


def read_keys(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found
