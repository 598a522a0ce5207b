"""Drafts of runs: what somebody has filled into the form New run, kept until it is started.

A draft is no run: half of a form may be no configuration, and what is in no queue can't be started
by accident, has no place in anybody's share and is in no count of runs.
"""

from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.urls import reverse


class RunDraftQuerySet(models.QuerySet["RunDraft"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(owner_id=user.pk) if user.pk else self.none()


class RunDraft(models.Model):
    """The fields of one form, as the browser sends them."""

    MOST = 50
    """Of one person; the oldest gives way."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    """Made by the form when it is opened, so that one form has one draft."""
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="run_drafts")
    name = models.CharField(max_length=200)
    fields = models.TextField()
    """URL-encoded."""
    changed = models.DateTimeField(auto_now=True)

    objects = RunDraftQuerySet.as_manager()

    class Meta:
        ordering = ["-changed"]

    def __str__(self) -> str:
        return self.name or "Without a name"

    def get_absolute_url(self) -> str:
        return f"{reverse('jobs:run-new')}?draft={self.pk}"
