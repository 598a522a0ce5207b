"""API tokens, answers kept for repeated requests, tries to sign in."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models, transaction
from django.utils import timezone

from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.columns.keys import Key, digest_of, unexpired

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHAT_PATH = "/v1/"


class TooManyTokensError(FineTuneError):
    """Somebody has as many keys as one person may have."""

    code = "too_many_keys"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            f"There are {ApiToken.MOST} keys already, as many as one person may have.",
            "Revoke one that is not used any more.",
        )


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def valid(self) -> Self:
        """Those of active accounts that have not expired."""
        return self.filter(unexpired(), user__is_active=True)


class ApiToken(Key):
    """A key to the API, in its owner's name. A new password of theirs ends it: see `EndKeys`."""

    class Scope(models.TextChoices):
        """What a key opens."""

        WRITE = "write", "Everything"
        READ = "read", "Look, change nothing"
        CHAT = "chat", "Chat only, by /v1"

    MOST = 20
    """Keys that one person may have."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.WRITE)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.user}"

    @classmethod
    def issue(cls, user: User, name: str, scope: str = Scope.WRITE, days: int | None = None) -> str:
        """Make a token and return the key, which nobody can read again; it is good for `days`.

        Raises TooManyTokensError.
        """
        token = cls(user=user, name=name, scope=scope)
        key = token.hide("mft_", days)
        with transaction.atomic():
            User.objects.select_for_update().get(pk=user.pk)  # two at once can't both be the last
            if user.api_tokens.count() >= cls.MOST:
                raise TooManyTokensError
            token.save()
        return key

    @classmethod
    def of(cls, key: str) -> ApiToken | None:
        """The valid token whose key is `key`; that it is used is noted."""
        found = cls.objects.valid().filter(digest=digest_of(key))
        token = found.select_related("user").first()
        return token.note_use() if token else None

    @classmethod
    def user_of(cls, key: str) -> User | None:
        """Whose valid key it is."""
        token = cls.of(key)
        return token.user if token else None

    def opens(self, method: str, path: str) -> bool:
        """Whether its scope allows a request."""
        is_look = method in SAFE_METHODS
        if self.scope == self.Scope.CHAT:
            return path.startswith(CHAT_PATH)
        return self.scope == self.Scope.WRITE or is_look


class EndKeys:
    """A password validator that objects to nothing, and revokes the API keys of an account as soon
    as its password is another: Django calls it whoever changes it, and not where only the hash is
    made anew by today's algorithm."""

    def validate(self, password: str, user: User | None = None) -> None:
        return None

    def get_help_text(self) -> str:
        return ""

    def password_changed(self, password: str, user: User | None = None) -> None:
        if user is not None and user.pk:
            user.api_tokens.all().delete()


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
