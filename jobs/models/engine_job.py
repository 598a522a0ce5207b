"""Exports and evaluations: work on saved models that is done in the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Self, TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models

M = TypeVar("M", bound=models.Model)


class OwnedQuerySet(models.QuerySet[M]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(owner_id=user.pk) if user.pk else self.none()


class EngineJob(models.Model):
    """A command of the engine that somebody asked for, and what came of it."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    error = models.JSONField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering = ["-pk"]

    @property
    def has_ended(self) -> bool:
        return self.status in {self.Status.READY, self.Status.FAILED}

    @property
    def folder(self) -> Path:
        """Where its files lie, by its number."""
        return Path(settings.DATA_DIR) / f"{self._meta.model_name}s" / str(self.pk)


class Export(EngineJob):
    """A model in a form for use elsewhere, as one archive."""

    model = models.ForeignKey("jobs.LanguageModel", models.CASCADE, related_name="exports")
    format = models.CharField(max_length=40)
    options = models.JSONField(default=dict)
    manifest = models.JSONField(null=True)
    parity = models.JSONField(null=True)
    size_bytes = models.BigIntegerField(default=0)

    objects = OwnedQuerySet["Export"].as_manager()

    def __str__(self) -> str:
        return f"{self.model} as {self.format}"

    @property
    def archive(self) -> Path:
        return self.folder / "export.zip"


class Evaluation(EngineJob):
    """Models measured on the same rows by the same metrics."""

    dataset = models.ForeignKey("datasets_app.DatasetVersion", models.CASCADE, related_name="+")
    split = models.CharField(max_length=10, blank=True)
    metrics = models.JSONField(default=list)
    scores = models.JSONField(default=list)
    measured = models.ManyToManyField("jobs.LanguageModel", related_name="evaluations")

    objects = OwnedQuerySet["Evaluation"].as_manager()

    def __str__(self) -> str:
        return f"Evaluation {self.pk}"
