"""Deployments: models that programs reach under a name, their keys, and what was asked of them."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse

from jobs.models.engine_job import OwnedQuerySet
from maxft_site.web.columns.keys import Key, digest_of, unexpired

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z"
NAME_RULE = "Letters, digits, “.”, “_” and “-”, at most 63; the first is a letter or a digit."
KEY_START = "mfd_"


class Deployment(models.Model):
    """A model under a name of its owner's, for programs with a key of the deployment's.

    It answers with one model, or with the newest of a family: see `jobs.services.names.family_of`.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        STOPPED = "stopped", "Stopped"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="deployments")
    name = models.CharField(
        max_length=63, validators=[RegexValidator(NAME_PATTERN, NAME_RULE)], help_text=NAME_RULE
    )
    """What a request to /v1 calls `model`."""
    model = models.ForeignKey(
        "jobs.LanguageModel", models.SET_NULL, null=True, related_name="deployments"
    )
    """Who answers; of a family the one that it was made with. None: it was deleted for good."""
    family = models.CharField(max_length=500, blank=True)
    """Empty: `model` answers, whatever is trained later."""
    state = models.CharField(max_length=7, choices=State, default=State.RUNNING)
    requests_per_minute = models.PositiveIntegerField(default=600)
    tokens_per_minute = models.PositiveIntegerField(default=0)
    """Of prompts and answers; 0: no limit."""
    concurrent = models.PositiveIntegerField(default=64)
    keeps_log = models.BooleanField(default=True)
    log_days = models.PositiveSmallIntegerField(default=30)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now_add=True)
    """When it was started or stopped last."""

    objects = OwnedQuerySet["Deployment"].as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_deployment_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("jobs:deployment", args=[self.pk])

    @property
    def is_running(self) -> bool:
        return self.state == self.State.RUNNING


class DeploymentKeyQuerySet(models.QuerySet["DeploymentKey"]):
    def valid(self) -> Self:
        return self.filter(unexpired(), deployment__owner__is_active=True)


class DeploymentKey(Key):
    """A key to one deployment and to nothing else of the site. Other people's programs have it, so
    a new password of the owner does not end it."""

    MOST = 50
    """Of one deployment."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="keys")

    objects = DeploymentKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.deployment}"

    @classmethod
    def of(cls, secret: str) -> DeploymentKey | None:
        """The valid key with that secret; that it is used is noted."""
        if not secret.startswith(KEY_START):
            return None
        found = cls.objects.valid().filter(digest=digest_of(secret))
        key = found.select_related("deployment__owner").first()
        return key.note_use() if key else None


class UsageDay(models.Model):
    """What was asked of a deployment in a day (UTC) with one key, or with none of its own."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="usage")
    key = models.ForeignKey(DeploymentKey, models.SET_NULL, null=True, related_name="usage")
    day = models.DateField()
    requests = models.PositiveBigIntegerField(default=0)
    """Those that were let in."""
    refused = models.PositiveBigIntegerField(default=0)
    """Those over a limit."""
    errors = models.PositiveBigIntegerField(default=0)
    """Of the requests, those that were not answered."""
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    first_token = models.JSONField(default=dict)
    """Bucket -> requests: see `jobs.services.deployments.latency`."""
    whole = models.JSONField(default=dict)
    """The same of whole answers."""

    class Meta:
        ordering = ["day", "pk"]
        indexes = [models.Index(fields=["deployment", "day"])]

    def __str__(self) -> str:
        return f"{self.deployment} on {self.day}"


class RequestLog(models.Model):
    """One request to a deployment, without its texts."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="log")
    key = models.ForeignKey(DeploymentKey, models.SET_NULL, null=True, related_name="+")
    model = models.ForeignKey("jobs.LanguageModel", models.SET_NULL, null=True, related_name="+")
    time = models.DateTimeField(auto_now_add=True)
    call = models.CharField(max_length=20)
    """Such as chat/completions."""
    outcome = models.CharField(max_length=40)
    """stop, length, …; of one that failed the error's code."""
    failed = models.BooleanField(default=False)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    first_token_ms = models.PositiveIntegerField(null=True)
    whole_ms = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["deployment", "-id"])]

    def __str__(self) -> str:
        return f"{self.call} of {self.deployment}"
