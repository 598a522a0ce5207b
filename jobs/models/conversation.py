"""Chats with one model or with two side by side."""

from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import models
from django.urls import reverse

from maxft_site.web.columns import NameField


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(owner_id=user.pk) if user.pk else self.none()


class Conversation(models.Model):
    """Questions and the answers of one or two models."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations"
    )
    title = NameField(max_length=120)
    left = models.ForeignKey("jobs.LanguageModel", models.RESTRICT, related_name="+")
    right = models.ForeignKey("jobs.LanguageModel", models.RESTRICT, related_name="+", null=True)
    """The one or two models that answer next."""
    system_prompt = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    objects = ConversationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("jobs:conversation", args=[self.pk])


class AnswerQuerySet(models.QuerySet["Answer"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(conversation__owner_id=user.pk) if user.pk else self.none()


class Answer(models.Model):
    """One model's answer to one question of a conversation, with the options it was made with."""

    class Status(models.TextChoices):
        STREAMING = "streaming"
        DONE = "done"
        STOPPED = "stopped"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="answers")
    turn = models.PositiveIntegerField()
    """Answers to the same question share its number."""
    column = models.PositiveSmallIntegerField(default=0)
    """0 left, 1 right. A column is one chat: its answers are what its next model remembers."""
    question = models.TextField()
    model = models.ForeignKey("jobs.LanguageModel", models.RESTRICT, related_name="answers")
    options = models.JSONField(default=dict)
    text = models.TextField(blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.STREAMING)
    error = models.JSONField(null=True)
    judgement = models.JSONField(null=True)
    """Of a model that judges texts: {labels: [{label, probability}]}, {score}, {words: [{word,
    label, probability}]} or {gaps: [[{label, probability}]]}, and {cut}."""
    usage = models.JSONField(default=dict)
    """{prompt_tokens, completion_tokens, first_token_seconds, tokens_per_second, finish_reason,
    dropped_messages}"""
    created = models.DateTimeField(auto_now_add=True)

    objects = AnswerQuerySet.as_manager()

    class Meta:
        ordering = ["turn", "column"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "turn", "column"], name="one_answer_a_column"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.text[:40]}"
