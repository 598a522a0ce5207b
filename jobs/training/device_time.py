"""The time that an attempt has its device: charged to its owner, shared after a quantum."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from jobs.models import Run
from jobs.services.queue import accounts, claims
from jobs.training.clock import Clock
from maxaillm.dev.finetune.run.events.journal import Event
from maxaillm.dev.finetune.run.events.kinds import LogEvent, StageEvent

log = logging.getLogger(__name__)

CHARGE_SECONDS = 5.0
"""Time goes to the account so often; so much is lost where this process is killed."""


class DeviceTime:
    """Counts from the moment that the attempt has a worker."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.uncharged, self.quantum = Clock(), Clock()
        self.is_training = self.has_stepped = False

    def note(self, event: Event) -> None:
        """A quantum is one of training: it begins anew with each stage."""
        if isinstance(event.payload, StageEvent):
            self.quantum.restart()
            self.is_training = event.payload.name == "train"
        self.has_stepped |= isinstance(event.payload, LogEvent)

    def keep_account(self) -> None:
        if self.uncharged.seconds >= CHARGE_SECONDS:
            self.charge()

    def charge(self) -> None:
        """Put the time since the last charge on the account; kept where that fails."""
        with database_may_be_away(self.run):
            accounts.charge(self.run, self.uncharged.seconds)
            self.uncharged.restart()

    def make_room(self) -> None:
        """Ask at the end of a quantum whether somebody is further behind; the next heartbeat
        brings the answer.

        Never before a step is logged, so that each attempt brings the run on; nor after the last
        one, when only its end is left to do.
        """
        length = settings.QUANTUM_SECONDS
        is_due = self.is_training and self.has_stepped and self.quantum.seconds >= length
        if not length or not is_due:
            return
        self.charge()
        with database_may_be_away(self.run):
            if claims.make_room(self.run.pk, self.run.attempt) is not None:
                self.quantum.restart()


@contextmanager
def database_may_be_away(run: Run) -> Iterator[None]:
    """Say so and go on: what could not be written comes with the next try."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        log.warning("Run %s: the database is away: %s", run.pk, error)
        close_old_connections()
