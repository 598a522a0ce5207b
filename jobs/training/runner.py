"""One attempt at a run: starts the engine, follows its journal, sees it to its end."""

from __future__ import annotations

import logging
import signal
import time
from types import FrameType
from typing import Literal, cast

from django.conf import settings

from jobs.models import Run
from jobs.services import attempts
from jobs.services.ingest import FencedError, record_events, warn
from jobs.training.attempt_folder import make_folder, prepare
from jobs.training.clock import Clock
from jobs.training.device_time import DeviceTime, database_may_be_away
from jobs.training.engine_process import EngineProcess
from jobs.training.recovery import clear_leftovers
from maxaillm.dev.finetune.errors import FineTuneError, ProcessLostError
from maxaillm.dev.finetune.processes.cause_of_death import CauseOfDeath, in_words
from maxaillm.dev.finetune.processes.plain_files import read_plain
from maxaillm.dev.finetune.run.attempt import FolderInUseError, hold_lock
from maxaillm.dev.finetune.run.events.journal import Event, JournalReader
from maxaillm.dev.finetune.run.events.kinds import StageEvent
from maxaillm.dev.finetune.run.folder import StopAction

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
RECORD_SECONDS = 0.2
"""New lines are recorded, and then announced, at most so often: quick steps come in bundles."""
HEARTBEAT_SECONDS = 1.0
Wanted = Literal[StopAction, "room"]
"""room: as release, but for another run instead of the machine's rest, so that there is time."""
GRACE_SECONDS: dict[Wanted, float] = {
    "cancel": 5,
    "save": 600,
    "pause": 600,
    "room": 600,
    "release": 11,
}
"""How long a trainer may take to leave by itself: what is to be kept must be written first."""
TERMINATE_SECONDS = 3.0
FROZEN_SECONDS = 60.0
"""A trainer's own heartbeat comes every two seconds, from a thread: without it, it is stuck."""
START_SECONDS = 300.0
"""How long a process may take to its first heartbeat: it may import before, from a slow disk."""
DUMP_SECONDS = 2.0
ROOM_TO_REST = ("room", "release")
PASSING_CODES = frozenset({FolderInUseError.exit_code, ProcessLostError.exit_code})
"""Of exit codes, those whose cause may be gone at the next attempt."""
LINGER_SECONDS = 15.0
"""How long a trainer may take to go after its last word."""


class Runner:
    """Carries out one attempt and always brings it to a truthful state."""

    def __init__(self, run: Run, worker: str) -> None:
        self.run, self.worker = run, worker
        self.key = (run.pk, run.attempt)
        self.waiting: list[Event] = []
        self.requested: Wanted | None = None
        self.requested_clock = Clock()
        self.leaving = self.is_fenced = self.has_ended = False
        self.was_terminated = False
        self.is_loading = True
        self.device_time = DeviceTime(run)
        self.record_clock, self.heartbeat_clock = Clock(), Clock()
        self.frozen_clock, self.silent_clock = Clock(), Clock()
        self.last_heartbeat = b""
        self.death = ""

    def carry_out(self) -> None:
        signal.signal(signal.SIGTERM, self.leave)
        root = make_folder(self.run)
        with hold_lock(root.watch_lock):
            try:
                self.make_attempt()
            finally:
                self.device_time.charge()

    def make_attempt(self) -> None:
        try:
            prepared = prepare(self.run)
        except FineTuneError as error:
            attempts.fail(*self.key, by=self.worker, error=error.as_json())
            return
        self.folder = prepared.folder
        self.journal = JournalReader(self.folder.journal)
        self.trainer = EngineProcess(
            prepared.argv,
            self.folder,
            online=prepared.is_online,
            secrets=prepared.secrets,
            reports=prepared.reports,
        )
        try:
            warn(*self.key, prepared.damaged)
            self.follow()
        finally:
            self.trainer.close()
            clear_leftovers(self.folder)
        if not self.is_fenced:
            self.finish()

    def leave(self, _number: int, _frame: FrameType | None) -> None:
        """The worker is being stopped: have the trainer save and give the run back."""
        self.leaving = True

    def follow(self) -> None:
        """Until the trainer has ended: journal to database, requests to stop to the trainer."""
        while self.trainer.poll() is None and not self.is_fenced:
            self.read_journal()
            if not self.has_ended:
                self.keep_in_touch()
            elif self.silent_clock.seconds > LINGER_SECONDS:
                return
            time.sleep(LOOK_SECONDS)

    def keep_in_touch(self) -> None:
        if self.heartbeat_clock.seconds >= HEARTBEAT_SECONDS:
            self.heartbeat_clock.restart()
            self.heartbeat()
            self.device_time.make_room()
            self.trainer.measure()
            self.check_heartbeat()
        self.device_time.keep_account()
        if self.leaving:
            self.request_stop("release")
        self.enforce_stop()

    def read_journal(self) -> None:
        self.take(self.journal.read())
        if self.waiting and self.record_clock.seconds >= RECORD_SECONDS:
            self.record()

    def record(self) -> None:
        """Bring the lines that wait into the database; it may be locked or away."""
        self.record_clock.restart()
        try:
            with database_may_be_away(self.run):
                record_events(*self.key, self.waiting)
                self.waiting = []
        except FencedError as error:
            self.fence(error.message)

    def take(self, events: list[Event]) -> None:
        self.waiting += events
        if events:
            self.silent_clock.restart()
        for event in events:
            if isinstance(stage := event.payload, StageEvent):
                self.is_loading = stage.name == "load"
            self.device_time.note(event)
            self.has_ended |= event.ends_run

    def heartbeat(self) -> None:
        with database_may_be_away(self.run):
            stop = attempts.heartbeat(*self.key)
            if stop is None:
                self.fence("The attempt owns the run no more.")
            elif stop:
                self.request_stop(cast(Wanted, stop))

    def fence(self, why: str) -> None:
        log.warning("Run %s, attempt %s: %s", *self.key, why)
        self.is_fenced = True

    def request_stop(self, action: Wanted) -> None:
        """Pass a request to stop on to the trainer. The first one stays, but `cancel` overrules
        the others, and the machine's wish to rest that for room."""
        if self.requested == action:
            return
        if self.requested and action != "cancel" and (self.requested, action) != ROOM_TO_REST:
            return
        self.requested = action
        self.requested_clock.restart()
        self.folder.request_stop("release" if action == "room" else action)

    def enforce_stop(self) -> None:
        """A trainer that does not leave in time is told by signal, then killed."""
        if self.requested is None:
            return
        overdue = self.requested_clock.seconds - GRACE_SECONDS[self.requested]
        if not self.trainer.pid:
            self.death = "It was stopped before it began."
            self.trainer.kill()
        elif overdue > TERMINATE_SECONDS:
            self.death = f"It did not leave when asked to ({self.requested}) and was ended."
            self.trainer.kill()
        elif overdue > 0 and not self.was_terminated:
            self.was_terminated = True
            self.trainer.signal(signal.SIGTERM)

    def check_heartbeat(self) -> None:
        """End a trainer that is stuck, after it has written where."""
        self.take(self.journal.read())  # the database may have held this process up
        heartbeat = read_plain(self.folder.heartbeat)
        if heartbeat != self.last_heartbeat or not self.trainer.pid:
            self.last_heartbeat = heartbeat
            self.frozen_clock.restart()
        longest = FROZEN_SECONDS if heartbeat else START_SECONDS
        patience = settings.LOAD_SECONDS if self.is_loading else settings.STALL_SECONDS
        if self.frozen_clock.seconds > longest:
            self.death = f"The trainer sent no heartbeat for {longest:.0f} s."
        elif self.silent_clock.seconds > patience:
            what = "was not done with loading" if self.is_loading else "made no progress"
            self.death = f"The trainer {what} for {patience:.0f} s."
        else:
            return
        self.trainer.signal(signal.SIGABRT)  # faulthandler writes the stacks into the log
        time.sleep(DUMP_SECONDS)
        self.trainer.kill()

    def finish(self) -> None:
        """The trainer has ended: record its last words, and if there were none, say so."""
        self.take(self.journal.read())
        while self.waiting and not self.is_fenced:
            self.record()
            time.sleep(HEARTBEAT_SECONDS if self.waiting else 0)
            self.take(self.journal.read())
        if self.is_fenced:
            return
        if self.requested == "release":
            why = "The worker was stopped before the trainer had saved."
            attempts.release(*self.key, by=self.worker, why=self.death or why)
        elif self.was_out_of_memory():
            attempts.fail(*self.key, by=self.worker, error=out_of_memory(self.trainer.peak_bytes))
        elif self.gave_up():
            attempts.fail(*self.key, by=self.worker, error=given_up(self.last_words()))
        else:
            attempts.lose(*self.key, by=self.worker, why=self.death or self.last_words())

    def was_out_of_memory(self) -> bool:
        """Whether the system killed a trainer that held most of the memory."""
        was_ended_here = bool(self.death) or self.requested is not None
        return not was_ended_here and self.trainer.cause_of_death() is CauseOfDeath.MEMORY

    def gave_up(self) -> bool:
        """Whether the trainer itself said by its exit code that it would not: once more it would
        say the same."""
        code = self.trainer.status or 0
        return not self.death and self.requested is None and code > 1 and code not in PASSING_CODES

    def last_words(self) -> str:
        status = self.trainer.status or 0
        if status < 0:
            return f"The trainer {in_words(status)}."
        lines = read_plain(self.folder.log).decode(errors="replace").split("\n")[-20:]
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f"The trainer {in_words(status)}: {last[:120]}"


def given_up(last_words: str) -> attempts.Error:
    return {
        "code": "exit",
        "message": last_words,
        "hint": "Look at the end of the log, change what it complains about and retry the run.",
    }


def out_of_memory(peak_bytes: int) -> attempts.Error:
    return {
        "code": "out_of_memory",
        "message": "The system killed the trainer, most likely for want of memory: "
        f"it held {peak_bytes / 1e9:.1f} GB.",
        "hint": "Use a smaller batch size or maximum length, or gradient checkpointing.",
    }
