"""What every kind of key has: shown once, kept as a digest, with an end and a last use."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from maxft_site.web.columns import NameField

NOTED_EVERY = timedelta(minutes=1)
"""How often a use is written down."""


class Key(models.Model):
    """A secret that opens something. Only its digest is kept; the key itself is shown once."""

    name = NameField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True)
    expires = models.DateTimeField(null=True)
    """None: never."""

    class Meta:
        abstract = True

    @property
    def has_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()

    def hide(self, start: str, days: int | None) -> str:
        """Put the digest of a new secret here, good for `days`. Returns the secret."""
        secret = f"{start}{secrets.token_urlsafe(32)}"
        self.prefix, self.digest = secret[: len(start) + 4], digest_of(secret)
        self.expires = timezone.now() + timedelta(days=days) if days else None
        return secret

    def note_use(self) -> Self:
        """Write down that it is used."""
        now: datetime = timezone.now()
        if self.last_used is None or now - self.last_used > NOTED_EVERY:
            type(self)._base_manager.filter(pk=self.pk).update(last_used=now)
        return self


def unexpired() -> models.Q:
    return models.Q(expires=None) | models.Q(expires__gt=timezone.now())


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
