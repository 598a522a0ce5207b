"""A run and its states. The row is the one truth; it moves only by compare-and-set."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.urls import reverse

from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.verdict import Verdict
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.intervals import Intervals
from maxaillm.dev.finetune.config.training import TrainingSection
from maxaillm.dev.finetune.run.events import RunFolder
from maxft_site.web.columns import NameField

if TYPE_CHECKING:
    from jobs.models.language_model import LanguageModel


class Status(models.TextChoices):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SAVING = "saving"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling", "Stopping"
    SUCCEEDED = "succeeded", "Finished"
    FAILED = "failed"
    CANCELLED = "cancelled", "Stopped"


S = Status
MOVES: dict[Status, frozenset[Status]] = {
    S.QUEUED: frozenset({S.STARTING, S.CANCELLED, S.PAUSED}),
    S.STARTING: frozenset({S.RUNNING, S.FAILED, S.QUEUED, S.CANCELLING, S.PAUSING}),
    S.RUNNING: frozenset({S.SAVING, S.FAILED, S.QUEUED, S.CANCELLING, S.PAUSING}),
    S.SAVING: frozenset({S.SUCCEEDED, S.FAILED, S.QUEUED, S.CANCELLING}),
    S.PAUSING: frozenset({S.PAUSED, S.SUCCEEDED, S.FAILED, S.CANCELLING}),
    S.PAUSED: frozenset({S.QUEUED, S.CANCELLED}),
    S.CANCELLING: frozenset({S.CANCELLED, S.SUCCEEDED, S.FAILED}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}
"""Every change of state there is. Ended runs stay ended: retrying makes a new run."""
ENDED = frozenset(status for status, targets in MOVES.items() if not targets)
ACTIVE = frozenset({S.STARTING, S.RUNNING, S.SAVING, S.PAUSING, S.CANCELLING})
"""States in which an attempt owns the run and may write to it."""


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(owner_id=user.pk, deleted=None) if user.pk else self.none()

    def within_reach_of(self, user: User | AnonymousUser) -> Self:
        """What `user` may look at and stop: their own; a superuser, everybody's. Lists show what
        is `visible_to` one, so that a superuser's own runs are not lost among all others."""
        return self.filter(deleted=None) if user.is_superuser else self.visible_to(user)

    def deleted_by(self, user: User | AnonymousUser) -> Self:
        """What `user` deleted a short while ago and may still take back."""
        mine = self.filter(owner_id=user.pk, purged=None) if user.pk else self.none()
        return mine.exclude(deleted=None)

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def later(self) -> Self:
        """Queued, but not in turn yet: they wait for a time, or for another run's model."""
        return self.filter(status=Status.QUEUED, is_ready=False, deleted=None)

    def waiting(self) -> Self:
        """In the order of each owner; between owners the queue's policy decides."""
        found = self.filter(status=Status.QUEUED, is_ready=True, deleted=None)
        own_place = models.F("own_place").asc(nulls_last=True)
        return found.order_by("-priority", own_place, "queued_at", "pk")


class Run(models.Model):
    """One fine-tuning run: its configuration, its state, its progress."""

    class Stop(models.TextChoices):
        """What the user wants; the trainer is told with the next heartbeat."""

        CANCEL = "cancel"
        SAVE = "save"
        PAUSE = "pause"
        ROOM = "room"
        """Not the user's: others are behind their share, and the run has had its quantum."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="runs")
    name = NameField(max_length=200)
    notes = models.TextField(blank=True)
    """What its owner wrote down about it."""
    config = models.JSONField()
    """A dumped RunConfig, as the user gave it: datasets and models by name, no paths."""
    folder = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(
        "datasets_app.DatasetVersion", models.PROTECT, related_name="runs", null=True
    )
    base_model = models.ForeignKey(
        "jobs.LanguageModel", models.PROTECT, related_name="runs_on_it", null=True
    )
    copy_of = models.ForeignKey("self", models.SET_NULL, related_name="copies", null=True)
    start_step = models.PositiveIntegerField(default=0)
    """The step of the checkpoint of `copy_of` that it goes on from; 0: it begins anew."""

    is_ready = models.BooleanField(default=True)
    """Whether it is in turn once it is queued: what it waited for has come."""
    start_at = models.DateTimeField(null=True)
    """Not in turn before."""
    after = models.ForeignKey("self", models.RESTRICT, related_name="successors", null=True)
    """The run whose model it starts from; until that is there, it is not in turn."""

    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    """Counts the tries; every write of a trainer carries its number, so that a late one bounces."""
    stop = models.CharField(max_length=6, choices=Stop, blank=True)
    waiting_for = models.CharField(max_length=200, blank=True)
    """Why a queued run is queued again, in words."""
    idle_attempts = models.PositiveIntegerField(default=0)
    """Attempts lost in a row without a new step: three end the run."""
    worker = models.CharField(max_length=100, blank=True)
    heartbeat = models.PositiveBigIntegerField(default=0)
    """Bumped while an attempt lives; compared by count, never by clock."""

    priority = models.SmallIntegerField(default=0)
    """Higher ones are taken first, whoever's turn it is."""
    own_place = models.PositiveIntegerField(null=True)
    """Place among the owner's waiting runs; 0 goes on where it was, without one it comes last."""
    device_kind = models.CharField(max_length=10, blank=True)
    """The kind of device that its newest attempt has."""
    device_seconds = models.FloatField(default=0)
    """What all its attempts have had of devices."""
    needed_seconds = models.FloatField(null=True)
    """What a waiting run is thought to need yet; None where that is not known."""

    phase = models.CharField(max_length=10, blank=True)
    phases = models.JSONField(default=list)
    """[{name, started, ...facts of the stage}] of the newest attempt."""
    step = models.PositiveIntegerField(default=0)
    total_steps = models.PositiveIntegerField(default=0)
    seconds_left = models.FloatField(null=True)
    metrics = models.JSONField(default=dict)
    """The newest value of each metric."""
    error = models.JSONField(null=True)
    """{code, message, hint} of a failed run."""
    verdict = models.JSONField(null=True)
    """How good what it made is: a dumped `advice.verdict.Verdict`, once the trainer has judged."""
    findings = models.JSONField(default=list)
    """What the run doctor says: dumped `advice.doctor.finding.Finding`s, the worst first."""
    last_seq = models.PositiveBigIntegerField(default=0)
    """Number of the newest event."""
    ingested = models.PositiveBigIntegerField(default=0)
    """Newest journal line of this attempt that is in the database."""

    created = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    deleted = models.DateTimeField(null=True)
    purged = models.DateTimeField(null=True)
    """When the files of a deleted run were removed for good; a row stays where chats name it."""

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=list(Status.values)),
                name="run_status_known",
            )
        ]
        indexes = [
            models.Index(fields=["status", "queued_at"]),
            models.Index(fields=["status", "is_ready"]),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk} · {self.name}"

    def get_absolute_url(self) -> str:
        return reverse("jobs:run", args=[self.pk])

    @property
    def parsed_config(self) -> RunConfig:
        return RunConfig.parse(self.config)

    @property
    def intervals(self) -> Intervals:
        """How often it logs, evaluates and saves, as far as its length is known."""
        training = TrainingSection.model_validate(self.config.get("training", {}))
        return training.intervals(self.total_steps)

    @property
    def epochs(self) -> float | None:
        """Those asked for, else what the newest attempt took for so many rows; None: not begun."""
        asked = self.parsed_config.training.num_train_epochs
        told = [phase["epochs"] for phase in self.phases if phase.get("epochs")]
        return asked or next(iter(told), None)

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def advice(self) -> list[Finding]:
        return [Finding.model_validate(found) for found in self.findings]

    @property
    def judged(self) -> Verdict | None:
        """The verdict on its end; None before, and where it was not judged."""
        return Verdict.model_validate(self.verdict) if self.verdict else None

    @property
    def is_promising(self) -> bool:
        """Whether its model is worth a chat: nothing says that it is no better than its base."""
        return self.verdict is None or self.verdict["level"] in {"ok", "note"}

    @property
    def progress(self) -> float:
        """Share of the steps that is done, 0 to 1."""
        if self.status == Status.SUCCEEDED:
            return 1.0
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0

    @property
    def kept_model(self) -> LanguageModel | None:
        """What it made, unless that was deleted."""
        made: LanguageModel | None = getattr(self, "model", None)
        return made if made and made.deleted is None else None

    @property
    def root(self) -> Path:
        return Path(settings.RUNS_DIR) / str(self.folder)

    def attempt_folder(self, attempt: int) -> RunFolder:
        """Where one attempt keeps its journal, checkpoints and model."""
        return RunFolder(self.root / f"attempt-{attempt}")


class Transition(models.Model):
    """A change of a run's state: who, why."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="transitions")
    came_from = models.CharField(max_length=10, blank=True)
    to = models.CharField(max_length=10)
    attempt = models.PositiveIntegerField()
    by = models.CharField(max_length=160)
    why = models.CharField(max_length=300, blank=True)
    time = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.came_from} → {self.to}"

    @property
    def word(self) -> str:
        """The new state, as pages call it."""
        return str(Status(self.to).label)
