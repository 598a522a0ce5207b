"""Datasets and their versions, findings, and uploads on their way."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.urls import reverse

from datasets_app.storage.blobs import blob_path
from maxft_site.web.columns import NameField


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What `user` may see: their own and the samples that came with the site."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(models.Q(owner=user) | models.Q(owner=None), deleted=None)

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """What `user` may change."""
        return self.filter(owner_id=user.pk, deleted=None) if user.pk else self.none()

    def deleted_by(self, user: User | AnonymousUser) -> Self:
        """What `user` deleted a short while ago and may still take back."""
        return self.filter(owner_id=user.pk).exclude(deleted=None) if user.pk else self.none()


class Dataset(models.Model):
    """A named dataset. Its rows are in versions, which never change."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="datasets", null=True
    )
    name = NameField(max_length=120)
    is_test_locked = models.BooleanField(default=False)
    """Whether the test rows stay what they are, whatever is made of the others."""
    created = models.DateTimeField(auto_now_add=True)
    deleted = models.DateTimeField(null=True)

    objects = DatasetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:dataset", args=[self.pk])

    @property
    def locked_splits(self) -> list[str]:
        return ["test"] if self.is_test_locked else []

    @property
    def newest_ready(self) -> DatasetVersion | None:
        ready = self.versions.filter(status=DatasetVersion.Status.READY)
        return ready.order_by("-number").first()

    @property
    def newest(self) -> DatasetVersion:
        return self.versions.order_by("-number")[0]


class DatasetVersion(models.Model):
    """One immutable state of a dataset: a file as it came, or a change of earlier versions."""

    class Status(models.TextChoices):
        UPLOADING = "uploading"
        CHECKING = "checking"
        NEEDS_MAPPING = "needs_mapping"
        READY = "ready"
        INVALID = "invalid"

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(default=1)
    folder = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    status = models.CharField(max_length=13, choices=Status, default=Status.CHECKING)
    check_number = models.PositiveIntegerField(default=1)
    """Counts the checks, so that a late one can't overwrite a newer one."""
    progress = models.FloatField(default=0)
    parents = models.ManyToManyField("self", symmetrical=False, related_name="children")
    """The versions that it was made of, where it was."""
    recipe = models.JSONField(null=True)
    """How it was made of them."""
    origin = models.JSONField(null=True)
    """Where its file comes from, if from the Hub: repository, commit, subset, splits."""
    change = models.CharField(max_length=300, blank=True)
    """What is different, in a sentence."""
    file_name = NameField(max_length=300)
    """As the user called it: for display only, never part of a path."""
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    """Of the file as it was uploaded; empty where the version was made of others."""
    rows_sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    findings_sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    encoding = models.CharField(max_length=60, blank=True)
    file_kind = models.CharField(max_length=60, blank=True)
    format = models.JSONField(null=True)
    """The format with its columns: a dumped DataFormat."""
    reading = models.JSONField(default=dict)
    """How its owner says the file is written, where it does not tell itself: `ReadOptions`."""
    columns = models.JSONField(default=list)
    sample = models.JSONField(default=list)
    """The first raw rows, for the mapping page."""
    rows = models.PositiveBigIntegerField(default=0)
    bad_rows = models.PositiveBigIntegerField(default=0)
    warnings = models.PositiveBigIntegerField(default=0)
    facts = models.JSONField(default=dict)
    """Counts by finding code, label counts and the like."""
    error = models.JSONField(null=True)
    created = models.DateTimeField(auto_now_add=True)
    checked = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="one_version_a_number"),
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["uploading", "checking", "needs_mapping", "ready", "invalid"]
                ),
                name="version_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    @property
    def is_ready(self) -> bool:
        return self.status == self.Status.READY

    @property
    def is_checking(self) -> bool:
        return self.status == self.Status.CHECKING

    @property
    def awaits_file(self) -> bool:
        """Whether its file is still to be fetched from the Hub."""
        return self.origin is not None and not self.sha256

    @property
    def root(self) -> Path:
        """Where its check works."""
        return Path(settings.DATASETS_DIR) / str(self.folder)

    @property
    def source_path(self) -> Path:
        """The file as it was uploaded."""
        return blob_path(self.sha256)

    @property
    def rows_path(self) -> Path:
        """The rows that can be trained on, as Parquet: see `maxaillm.dev.finetune.data.store`."""
        return blob_path(self.rows_sha256)

    @property
    def findings_path(self) -> Path:
        """Every finding, as Parquet: see `datasets_app.storage`; a part is in the database."""
        return blob_path(self.findings_sha256)

    @property
    def is_whole_text(self) -> bool:
        """Whether it is a plain text, whose lines go together in training."""
        is_plain = self.facts.get("is_plain_text", False) and not self.reading
        return bool(is_plain and not self.bad_rows)

    @property
    def training_path(self) -> Path:
        """What the engine reads: the rows; of a plain text the file, whose lines go together."""
        return self.source_path if self.is_whole_text else self.rows_path


class Finding(models.Model):
    """Something about one row: why it can't be trained on, or what deserves a look."""

    class Level(models.TextChoices):
        BAD = "bad"
        WARNING = "warning"

    version = models.ForeignKey(DatasetVersion, models.CASCADE, related_name="findings")
    level = models.CharField(max_length=7, choices=Level)
    row = models.PositiveBigIntegerField(null=True)
    """Number of the record, from 1, header not counted."""
    other = models.PositiveBigIntegerField(null=True)
    """The record that it is like, of findings about two."""
    line = models.PositiveBigIntegerField(null=True)
    code = models.CharField(max_length=40)
    message = models.CharField(max_length=500)
    snippet = models.CharField(max_length=400, blank=True)
    fix = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["version", "level", "row"])]

    def __str__(self) -> str:
        return f"{self.code} at row {self.row}"


class Upload(models.Model):
    """A file on its way in, piece by piece."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="uploads")
    file_name = NameField(max_length=300)
    size_bytes = models.BigIntegerField()
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.file_name

    @property
    def path(self) -> Path:
        return Path(settings.UPLOADS_DIR) / str(self.pk)

    @property
    def received_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0
