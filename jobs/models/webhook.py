"""Webhooks: addresses that are told when a run ends, and what became of telling them."""

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


class Webhook(models.Model):
    """An address of somebody's, with the secret that its messages are signed with."""

    MOST = 5
    """Of one person."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    url = models.CharField(max_length=500)
    secret = models.CharField(max_length=80, default=new_secret)
    created = models.DateTimeField(auto_now_add=True)

    objects = OwnedQuerySet["Webhook"].as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["owner", "url"], name="webhook_once")]

    def __str__(self) -> str:
        return self.url

    @property
    def newest(self) -> Delivery | None:
        return self.deliveries.first()


class Delivery(models.Model):
    """A message to a webhook. It is tried again until it arrives or is given up."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    run = models.ForeignKey("jobs.Run", models.CASCADE, null=True, related_name="+")
    """None: a test."""
    number = models.UUIDField(default=uuid4, editable=False)
    """The same in each try, so that a receiver knows a message that came twice."""
    created = models.DateTimeField(auto_now_add=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try = models.DateTimeField(null=True, db_index=True)
    """None: it has arrived, or was given up."""
    sent = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    """Of the newest try."""

    class Meta:
        ordering = ["-pk"]
