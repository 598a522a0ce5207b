"""Pauses of the queue: a kind of device, or everything, takes nothing new."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class QueuePause(models.Model):
    """One row a pause; what runs goes on."""

    EVERYTHING = ""

    kind = models.CharField(max_length=10, blank=True, unique=True)
    """The kind of device, `EVERYTHING` for all."""
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    since = models.DateTimeField(auto_now_add=True)
    why = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.kind or 'Everything'} is paused"
