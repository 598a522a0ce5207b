"""Exports and evaluations: work on saved models that is done in the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Self, TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.utils.text import slugify

from maxaillm.dev.finetune.exports import exports

M = TypeVar("M", bound=models.Model)


class OwnedQuerySet(models.QuerySet[M]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(owner_id=user.pk) if user.pk else self.none()


def file_stem(name: str) -> str:
    """A name that every file system takes, made of somebody's text."""
    return slugify(name)[-60:].strip("-") or "model"


class EngineJob(models.Model):
    """A command of the engine that somebody asked for, and what came of it."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled", "Stopped"

    MOST_ATTEMPTS = 3
    """A worker that dies so often at the same work is not given it again."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    status = models.CharField(max_length=9, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    """Counts the tries; what an earlier one finds out late is not written down."""
    progress = models.FloatField(default=0)
    """Share of the work that is done, 0 to 1."""
    stage = models.CharField(max_length=60, blank=True)
    """What is being done, in words."""
    error = models.JSONField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering = ["-pk"]

    @property
    def has_ended(self) -> bool:
        return self.status not in {self.Status.QUEUED, self.Status.RUNNING}

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
    sha256 = models.CharField(max_length=64, blank=True)
    """Of the archive."""

    objects = OwnedQuerySet["Export"].as_manager()

    def __str__(self) -> str:
        return f"{self.model} as {self.format}"

    @property
    def archive(self) -> Path:
        return self.folder / "export.zip"

    @property
    def file_name(self) -> str:
        """Of the archive, as it is saved by who fetches it."""
        return f"{file_stem(self.model.name)}-{self.format}-{self.pk}.zip"

    @property
    def label(self) -> str:
        """The form and what it was asked with: GGUF Q8_0."""
        form = exports[self.format].label if self.format in exports else self.format
        return " ".join([form, *map(str, self.options.values())])


class HubPush(models.Model):
    """An export on its way to the Hub, with the token of whom it is for."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    export = models.ForeignKey(Export, models.CASCADE, related_name="pushes")
    repository = models.CharField(max_length=200)
    is_private = models.BooleanField(default=True)
    sealed_token = models.TextField(blank=True)
    """Encrypted, and only until the push has ended."""
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    url = models.CharField(max_length=500, blank=True)
    error = models.JSONField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.export} to {self.repository}"

    @property
    def has_ended(self) -> bool:
        return self.status in {self.Status.DONE, self.Status.FAILED}


class AdapterMerge(EngineJob):
    """Adapters of one base made into one."""

    name = models.CharField(max_length=200)
    method = models.CharField(max_length=20)
    density = models.FloatField(null=True)
    parts = models.JSONField()
    """[{model, name, weight}]"""
    made = models.ForeignKey("jobs.LanguageModel", models.SET_NULL, null=True, related_name="+")

    objects = OwnedQuerySet["AdapterMerge"].as_manager()

    def __str__(self) -> str:
        return f"The merge {self.name}"


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
