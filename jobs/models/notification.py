"""Notifications: whom to tell of what by which channel, and what became of telling them."""

from __future__ import annotations

import base64
import secrets
from uuid import uuid4

from django.conf import settings
from django.db import models

from jobs.models.engine_job import OwnedQuerySet


def new_secret() -> str:
    """24 bytes in plain base64, which receivers decode (Standard Webhooks)."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


class Occasion(models.TextChoices):
    """What a person may be told of."""

    FINISHED = "finished", "A run finished"
    FAILED = "failed", "A run failed"
    DIVERGED = "diverged", "A run diverged"
    STOPPED = "stopped", "A run was stopped"
    NEEDS_PERSON = "needs_person", "A run needs a person: somebody else paused it"
    WAITS = "waits", "A run waits long in the queue"


def ends() -> list[str]:
    """The ways in which a run can end."""
    return [Occasion.FINISHED, Occasion.FAILED, Occasion.DIVERGED, Occasion.STOPPED]


class NotificationChannel(models.Model):
    """A way to tell somebody: their open pages, an e-mail address, a webhook, a chat service."""

    MOST = 5
    """Of one person, of each kind."""

    class Kind(models.TextChoices):
        BROWSER = "browser", "Browser"
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"
        APPRISE = "apprise", "Chat service"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.WEBHOOK)
    target = models.CharField(max_length=500, blank=True)
    """An address of the web or of e-mail, or Apprise's, which holds the service's key."""
    secret = models.CharField(max_length=80, default=new_secret)
    """What messages to a webhook are signed with."""
    is_confirmed = models.BooleanField(default=True)
    """Whether whoever reads the e-mail has said that they want it."""
    occasions = models.JSONField(default=ends)
    wait_hours = models.PositiveSmallIntegerField(default=4)
    """A run that waits for so long is told of, where that is among the occasions."""
    site_url = models.CharField(max_length=300, blank=True)
    """How its owner reaches the site, for links to runs."""
    created = models.DateTimeField(auto_now_add=True)

    objects = OwnedQuerySet["NotificationChannel"].as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "kind", "target"], name="channel_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.owner}"

    @property
    def newest(self) -> Notice | None:
        return self.notices.first()

    @property
    def masked(self) -> str:
        """The service that a target leads to, without its key."""
        return f"{self.target.partition('://')[0]}://…"

    @property
    def told_of(self) -> list[str]:
        return [str(Occasion(name).label) for name in self.occasions if name in Occasion]


class Notice(models.Model):
    """A message by a channel. It is tried again until it arrives or is given up."""

    channel = models.ForeignKey(NotificationChannel, models.CASCADE, related_name="notices")
    run = models.ForeignKey("jobs.Run", models.CASCADE, null=True, related_name="+")
    """None: a test."""
    occasion = models.CharField(max_length=12, choices=Occasion, blank=True)
    number = models.UUIDField(default=uuid4, editable=False)
    """The same in each try, so that a receiver knows a message that came twice."""
    created = models.DateTimeField(auto_now_add=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try = models.DateTimeField(null=True, db_index=True)
    """None: it has arrived, was given up, or waits for a page that is open."""
    sent = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    """Of the newest try."""

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "run", "occasion"],
                condition=~models.Q(occasion=""),
                name="one_notice_an_occasion",
            )
        ]
