"""API tokens, answers kept for repeated requests, tries to sign in."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone


class ApiToken(models.Model):
    """A key to the API. Only its digest is kept; the key itself is shown once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"

    @classmethod
    def issue(cls, user: User, name: str) -> str:
        """Make a token and return the key, which nobody can read again."""
        key = f"mft_{secrets.token_urlsafe(32)}"
        cls.objects.create(user=user, name=name, prefix=key[:8], digest=digest_of(key))
        return key

    @classmethod
    def user_of(cls, key: str) -> User | None:
        """The active user whose token `key` is."""
        token = cls.objects.filter(digest=digest_of(key), user__is_active=True).first()
        if token is None:
            return None
        now = timezone.now()
        if token.last_used is None or now - token.last_used > timedelta(minutes=1):
            cls.objects.filter(pk=token.pk).update(last_used=now)
        return token.user


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class IdempotentReplyQuerySet(models.QuerySet["IdempotentReply"]):
    def stale(self) -> Self:
        return self.filter(created__lte=timezone.now() - timedelta(hours=24))


class IdempotentReply(models.Model):
    """The answer to a request with an `Idempotency-Key`, given again for a day."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created = models.DateTimeField(auto_now_add=True)

    objects = IdempotentReplyQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_reply_a_key")]

    def __str__(self) -> str:
        return self.key


class SignInTry(models.Model):
    """A try to sign in that did not succeed (yet): what the limits count."""

    account = models.CharField(max_length=150)
    address = models.CharField(max_length=45)
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["address", "time"])]

    def __str__(self) -> str:
        return f"{self.account} from {self.address}"
