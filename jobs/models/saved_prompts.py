"""What a person keeps for chats: presets of parameters, and sets of prompts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse

from jobs.models.engine_job import OwnedQuerySet


class ChatPreset(models.Model):
    """A system prompt and sampling options under a name."""

    MOST = 50
    """Of one person."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    system_prompt = models.TextField(blank=True)
    options = models.JSONField(default=dict)
    """`SamplingOptions` as JSON."""

    objects = OwnedQuerySet["ChatPreset"].as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_chat_preset_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class PromptSet(models.Model):
    """Prompts that are asked again and again, of one model after the other."""

    MOST = 200
    """Of one person."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    prompts = models.JSONField(default=list)
    """[text], in their order."""
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    objects = OwnedQuerySet["PromptSet"].as_manager()

    class Meta:
        ordering = ["-updated", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_prompt_set_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("jobs:prompt-set", args=[self.pk])
