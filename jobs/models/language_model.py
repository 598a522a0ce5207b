"""Models that can be tuned or chatted with: base ones and tuned ones."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.urls import reverse

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.model_files.card import TaskCard, read_card
from maxaillm.dev.finetune.model_files.folder import find_folder, is_path


class LanguageModelQuerySet(models.QuerySet["LanguageModel"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Base models without an owner are everybody's; tuned ones their owner's."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(models.Q(owner=user) | models.Q(owner=None), deleted=None)

    def named(self, name: str) -> LanguageModel | None:
        """The one of that name, somebody's own before the common one; else what an alias of that
        name stands for."""
        if "\0" in name:  # which PostgreSQL can't look for
            return None
        own_first = models.F("owner").desc(nulls_last=True)
        found = self.filter(name=name).order_by(own_first).first()
        return found or self.filter(aliases__name=name).first()

    def deleted_by(self, user: User | AnonymousUser) -> Self:
        """What `user` deleted a short while ago and may still take back; what went with its run
        comes back with it."""
        mine = self.filter(owner_id=user.pk, purged=None) if user.pk else self.none()
        return mine.exclude(deleted=None).filter(models.Q(run=None) | models.Q(run__deleted=None))


class LanguageModel(models.Model):
    """A model by name, with what it was made from."""

    class Kind(models.TextChoices):
        BASE = "base", "Base model"
        ADAPTER = "adapter", "Adapter"
        FULL = "full", "Full model"

    class Stage(models.TextChoices):
        """How far its owner trusts it."""

        CANDIDATE = "candidate"
        PRODUCTION = "production"
        ARCHIVED = "archived"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="language_models", null=True
    )
    name = models.CharField(max_length=500)
    """Base: starter name, folder or Hub name, as typed. Tuned: the run's name."""
    kind = models.CharField(max_length=7, choices=Kind)
    base = models.ForeignKey("self", models.PROTECT, related_name="tuned", null=True)
    run = models.OneToOneField("jobs.Run", models.PROTECT, related_name="model", null=True)
    attempt = models.PositiveIntegerField(null=True)
    """The attempt whose folder holds the tuned model."""
    size_bytes = models.BigIntegerField(default=0)
    parameters = models.BigIntegerField(default=0)
    metrics = models.JSONField(default=dict)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.CANDIDATE)
    tags = models.JSONField(default=list)
    folder = models.UUIDField(null=True, unique=True)
    """Of one that no run has made."""
    made_by = models.JSONField(null=True)
    """How one that no run has made came about: {method, density, parts: [{model, weight}]} of
    merged adapters, {run, step} of a checkpoint."""
    created = models.DateTimeField(auto_now_add=True)
    deleted = models.DateTimeField(null=True)
    purged = models.DateTimeField(null=True)
    """When the files of a deleted model were removed for good; a row stays where others name it."""

    objects = LanguageModelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_model_a_name"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(owner=None), name="one_common_model_a_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("jobs:model", args=[self.pk])

    @property
    def short_name(self) -> str:
        """The name as people say it: of a folder its last part."""
        return self.name.rstrip("/").rpartition("/")[2] if is_path(self.name) else self.name

    @property
    def stage_state(self) -> str:
        """How its badge looks."""
        looks = {self.Stage.PRODUCTION: "ok", self.Stage.ARCHIVED: "stopped"}
        return looks.get(self.Stage(self.stage), "")

    @property
    def ancestors(self) -> list[LanguageModel]:
        """What it was made from, the oldest first."""
        found: list[LanguageModel] = []
        base = self.base
        while base is not None and base not in found:
            found.insert(0, base)
            base = base.base
        return found

    @property
    def root(self) -> LanguageModel:
        """The model below all adapters, by whose `config.json` they go."""
        model = self
        while model.kind == self.Kind.ADAPTER and model.base is not None:
            model = model.base
        return model

    @property
    def is_mergeable(self) -> bool:
        """Whether it can be tuned further: as a whole, or merged with its base."""
        if self.kind != self.Kind.ADAPTER or self.run is None:
            return True
        method = str(self.run.config.get("tuning", {}).get("name", ""))
        return method in methods and methods[method].merges

    @property
    def own_folder(self) -> Path:
        """Where a model lies that no run has made."""
        return Path(settings.DATA_DIR) / "models" / str(self.folder)

    @property
    def base_source(self) -> str:
        """What an adapter lies on, as the engine loads it: of an adapter that was tuned further,
        the whole that its run has made."""
        if self.base is None or self.base.kind != self.Kind.ADAPTER:
            return self.base.source if self.base else ""
        if self.run is None or self.attempt is None:
            return ""
        return str(self.run.attempt_folder(self.attempt).base)

    @property
    def card(self) -> TaskCard | None:
        """What it is for, as its files tell; None where they are not here or name no task."""
        try:
            folder = find_folder(self.source)
            return read_card(folder, find_folder(self.root.source)) if folder else None
        except ModelError:
            return None

    @property
    def source(self) -> str:
        """What the engine loads: the folder of a tuned model, else the base model's name."""
        if self.folder is not None:
            return str(self.own_folder)
        if self.run is None or self.attempt is None:
            return self.name
        return str(self.run.attempt_folder(self.attempt).model)


class ModelAlias(models.Model):
    """Another name for a model that can be moved to the next one: what others use stays the same.

    Only for models of its owner.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="model_aliases"
    )
    name = models.CharField(max_length=200)
    model = models.ForeignKey(LanguageModel, models.CASCADE, related_name="aliases")
    created = models.DateTimeField(auto_now_add=True)
    moved = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="one_alias_a_name")]

    def __str__(self) -> str:
        return self.name
