"""Watchdog: recovers runs whose attempt has died, enqueues again what has lost its job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from redis.exceptions import RedisError

from datasets_app.services.sweeps import requeue_lost_checks, sweep_uploads
from jobs.models import Run
from jobs.services import attempts, engine_jobs, notifications
from jobs.services.deletion import purge_runs
from jobs.services.deployments.usage import trim_all
from jobs.services.lifecycle import later
from jobs.services.queue import claims
from jobs.services.queue.needs import note_length
from jobs.services.registry import hub_push
from jobs.services.registry.deletion import purge_models
from jobs.training.recovery import recover
from maxaillm.dev.finetune.processes.file_lock import file_lock
from maxaillm.dev.finetune.processes.plain_files import read_plain
from maxaillm.dev.finetune.processes.record_lock import is_record_locked
from maxft_site.web.enqueue import enqueue, queued_job_ids, requeue

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3.0
UPLOADS_SECONDS = 600.0
WAITING_SECONDS = 60.0
ESTIMATED_AT_ONCE = 3
DEAD_SECONDS = 15.0
"""Without a heartbeat for so long, and with its locks free, an attempt is dead."""
FROZEN_SECONDS = 30.0
"""The locks may be held by a process that stands still: its own heartbeat stands still too."""
LOST_SECONDS = 120.0
"""Whatever the locks say: who can't write to the database for so long is given up."""


class Sign(NamedTuple):
    """A sign of life and when it was first seen, by this process's own clock."""

    value: object
    since: float


class Watchdog:
    """Sweeps every few seconds. All that it does is compare-and-set: two of it do no harm."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.signs: dict[tuple[int, int, str], Sign] = {}
        self.lacking = 0
        self.looked_at: set[int] = set()
        """Waiting runs whose length was asked for."""
        self.uploads_swept = clock()
        self.waiting_told = float("-inf")

    def sweep(self) -> None:
        self.reap()
        later.release_due("watchdog")
        self.requeue_lost_runs()
        self.estimate_waiting_runs()
        requeue_lost_checks()
        engine_jobs.requeue_lost()
        hub_push.requeue_lost()
        for notice in notifications.due():
            enqueue(notifications.notice_job(notice))
        if self.clock() - self.waiting_told > WAITING_SECONDS:
            self.waiting_told = self.clock()
            notifications.tell_of_waiting()
        if self.clock() - self.uploads_swept > UPLOADS_SECONDS:
            self.uploads_swept = self.clock()
            sweep_uploads()
            purge_runs()
            trim_all()
            purge_models()
            engine_jobs.sweep_folders()

    def reap(self) -> None:
        """Recover the runs whose attempt shows no sign of life."""
        seen: set[tuple[int, int, str]] = set()
        for run in Run.objects.active():
            silent = self.unchanged(run, "heartbeat", run.heartbeat)
            heartbeat_file = run.attempt_folder(run.attempt).heartbeat
            frozen = self.unchanged(run, "file", read_plain(heartbeat_file))
            seen |= {(run.pk, run.attempt, "heartbeat"), (run.pk, run.attempt, "file")}
            if is_dead(run, silent, frozen):
                log.warning("Run %s, attempt %s is dead.", run.pk, run.attempt)
                recover(run, by="watchdog", why="Its worker stopped answering.")
        self.signs = {key: sign for key, sign in self.signs.items() if key in seen}

    def unchanged(self, run: Run, name: str, value: object) -> float:
        """For how many seconds a sign of life has been the same."""
        key = (run.pk, run.attempt, name)
        sign = self.signs.get(key)
        if sign is None or sign.value != value:
            sign = self.signs[key] = Sign(value, self.clock())
        return self.clock() - sign.since

    def requeue_lost_runs(self) -> None:
        """Enqueue the jobs that were fewer than the runs that may start, in two sweeps."""
        try:
            lacking = claims.startable() - len(queued_job_ids(attempts.QUEUE))
            for _ in range(min(lacking, self.lacking)):
                requeue(attempts.training_job())
        except (RedisError, OSError) as error:
            log.warning("Redis is away: %s", error)
        else:
            self.lacking = lacking

    def estimate_waiting_runs(self) -> None:
        """Find out how long what waits will take, a few at a time: each needs a look at files."""
        unknown = Run.objects.waiting().filter(needed_seconds=None).exclude(pk__in=self.looked_at)
        for run in unknown.select_related("owner", "dataset", "base_model")[:ESTIMATED_AT_ONCE]:
            self.looked_at.add(run.pk)
            note_length(run)


def is_dead(run: Run, silent: float, frozen: float) -> bool:
    if silent < DEAD_SECONDS:
        return False
    if silent >= LOST_SECONDS or locks_are_free(run):
        return True
    heartbeat_file = run.attempt_folder(run.attempt).heartbeat
    return min(silent, frozen) >= FROZEN_SECONDS and heartbeat_file.exists()


def locks_are_free(run: Run) -> bool:
    """Whether neither the trainer nor the process that watches it is there, says the kernel."""
    folder = run.attempt_folder(run.attempt)
    return not any(map(is_record_locked, (folder.lock, folder.watch_lock)))


def recover_after_crash() -> None:
    """For the start of the site, before any worker: what is at work has died with the old site,
    unless a worker of another machine holds it still."""
    for run in Run.objects.active():
        if locks_are_free(run):
            recover(run, by="start", why="The site was ended while it was at work.")


def keep() -> None:
    """Once this is the only watchdog of the data directory, sweep for ever.

    A database that is away is waited for.
    """
    with file_lock(settings.DATA_DIR / "watchdog.lock").acquire(poll_interval=SWEEP_SECONDS):
        watchdog = Watchdog()
        while True:
            try:
                watchdog.sweep()
            except (OperationalError, InterfaceError) as error:
                log.warning("The database is away: %s", error)
                close_old_connections()
            time.sleep(SWEEP_SECONDS)
