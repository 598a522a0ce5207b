"""torchrun: a run of several processes on this machine, started and followed to the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Self

import psutil
from pydantic import JsonValue

from maxaillm.dev.finetune.config import RunConfig, deepspeed
from maxaillm.dev.finetune.errors import FineTuneError, ProcessLostError
from maxaillm.dev.finetune.processes.child import start_child
from maxaillm.dev.finetune.processes.parent_death import end_with_parent
from maxaillm.dev.finetune.processes.resources import usable_cores
from maxaillm.dev.finetune.run.attempt import Attempt, Listener, StopRequestedError
from maxaillm.dev.finetune.run.events.journal import Event, read_journal
from maxaillm.dev.finetune.run.events.kinds import FailedEvent
from maxaillm.dev.finetune.run.events.payload import EventPayload
from maxaillm.dev.finetune.run.folder import RunFolder, StopAction

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def process_count() -> int:
    """How many processes train this run together, as torchrun says it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is. The first, 0, alone writes and decides."""
    return int(os.environ.get("RANK", "0"))


def needs_launch(config: RunConfig) -> bool:
    """Whether the run is to be started by torchrun, and is not yet."""
    wanted = config.training.devices > 1 or bool(config.training.deepspeed)
    return wanted and bool(config.provider.devices) and not is_launched()


def is_launched() -> bool:
    return "RANK" in os.environ


class SilentAttempt(Attempt):
    """For all processes but the first: holds no lock, tells nothing, decides nothing."""

    def __enter__(self) -> Self:
        self.folder.root.mkdir(parents=True, exist_ok=True)  # it may be here before the first
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def emit(
        self, event: EventPayload | str, step: int | None = None, /, **data: JsonValue
    ) -> None:
        return None

    def warn(self, message: str, hint: str = "") -> None:
        return None

    def stop_action(self) -> StopAction | None:
        """A signal counts, whoever gets it; requests in files are the first process's to read."""
        return "release" if self.release_wanted else None

    def check_stop(self) -> None:
        return None


def open_attempt(root: Path, listener: Listener) -> Attempt:
    """The run's attempt, which belongs to the first process."""
    if is_launched():
        end_with_parent(os.getppid())
    return SilentAttempt(root) if rank() else Attempt(root, listener)


def launch(arguments: Sequence[str], config: RunConfig, root: Path, show: Listener) -> int:
    """Train by as many processes as the run has devices, each with these arguments of the
    command. Returns its exit code; if the processes left no word, says so in the journal and
    raises it. Raises before that what each of them would fail with."""
    require_deepspeed(config, root, show)
    cores, devices = usable_cores(), config.training.devices
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores // devices))
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--local-addr", "127.0.0.1", "--nproc-per-node", str(devices)),
        *("-m", "maxaillm.dev.finetune", *arguments),
    ]
    before = last_event(root)
    asked = follow(
        # In a session of its own: what a terminal sends to all comes through this process.
        start_child(command, env={**os.environ, "OMP_NUM_THREADS": threads})
    )
    ending = last_event(root)
    if ending is None or ending == before or not ending.ends_run:
        with Attempt(root):
            if asked:
                raise StopRequestedError("release")
            raise ProcessLostError(
                "A process of the run has ended without a word.",
                "The log may tell more. Most often the memory did not suffice.",
            )
    failure = ending.payload
    if not isinstance(failure, FailedEvent):
        return 0
    errors = {error.code: error for error in FineTuneError.__subclasses__()}
    return errors.get(failure.code, FineTuneError).exit_code


def require_deepspeed(config: RunConfig, root: Path, show: Listener) -> None:
    """Raises what is wrong with DeepSpeed, or its configuration, and says it in the journal."""
    try:
        deepspeed.checked(config)
    except FineTuneError:
        with Attempt(root, show):
            raise


def follow(torchrun: subprocess.Popen[bytes]) -> bool:
    """Wait for the end. Returns whether the run was asked by signal to leave.

    The signal goes to the processes themselves: torchrun would give them just 30 seconds.
    """
    asked = False

    def pass_on(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        try:
            trainers = psutil.Process(torchrun.pid).children()
            for trainer in trainers:
                trainer.send_signal(number)
        except psutil.NoSuchProcess:
            return  # it has ended by itself
        if not trainers:
            torchrun.terminate()

    before = {number: signal.signal(number, pass_on) for number in SIGNALS}
    try:
        torchrun.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return asked


def last_event(root: Path) -> Event | None:
    events = list(read_journal(RunFolder(root).journal))
    return events[-1] if events else None
