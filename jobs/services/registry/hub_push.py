"""Pushes of exports to the Hub: each with a token that is kept sealed until it has ended."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from pydantic import JsonValue

from jobs.models import EngineJob, Export, HubPush
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError, Problem
from maxaillm.dev.finetune.model_files.folder import is_hub_name
from maxft_site.web.enqueue import JobSpec, enqueue, enqueue_on_commit

S = HubPush.Status
OPEN = (S.QUEUED, S.RUNNING)


class PushError(FineTuneError):
    """An export that can't be pushed now."""

    code = "push"
    status = 409


def push_job(push: HubPush) -> JobSpec:
    return JobSpec(
        queue="fetch", task="jobs.tasks.push_to_hub", args=(push.pk,), id=f"hub-push-{push.pk}"
    )


def cipher() -> Fernet:
    """Its key is made of the site's own secret: who has the database alone can't read a token."""
    digest = hashlib.sha256(b"hub token\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


@transaction.atomic
def order_push(*, export: Export, repository: str, token: str, is_private: bool) -> HubPush:
    """Queue a push. Raises ConfigError with what is missing, PushError where it can't be done."""
    problems = list(mistakes_in(repository, token))
    if problems:
        raise ConfigError(problems)
    if export.status != EngineJob.Status.READY:
        raise PushError("Only an export that is ready can be pushed.", "Wait until it is made.")
    Export.objects.select_for_update().get(pk=export.pk)
    if export.pushes.filter(status__in=OPEN).exists():
        raise PushError("This export is being pushed already.", "Wait for that push to end.")
    push = HubPush.objects.create(
        export=export,
        repository=repository.strip(),
        is_private=is_private,
        sealed_token=cipher().encrypt(token.strip().encode()).decode(),
    )
    enqueue_on_commit(push_job(push))
    return push


def mistakes_in(repository: str, token: str) -> Iterator[Problem]:
    if not is_hub_name(repository.strip()):
        allowed = "owner/name: letters, digits, -, _ and ."
        yield Problem("repository", "This is no repository.", repository[:200], allowed)
    stripped = token.strip()
    if not stripped or len(stripped) > 400 or not stripped.isascii() or not stripped.isprintable():
        message = "A push needs a token that may write."
        yield Problem("token", message, None, "an access token of the Hub")


def begin(pk: int) -> tuple[HubPush, str] | None:
    """The push to make, with its token; None where it has ended. One whose process died is not
    made again by itself: half of it may be there."""
    if not HubPush.objects.filter(pk=pk, status=S.QUEUED).update(status=S.RUNNING):
        lose(pk)
        return None
    push = HubPush.objects.select_related("export__model").get(pk=pk)
    try:
        return push, cipher().decrypt(push.sealed_token.encode()).decode()
    except InvalidToken:
        fail(pk, SEALED_ELSEWHERE.as_json())
        return None


SEALED_ELSEWHERE = PushError(
    "The token can't be read: the site's secret key has changed since.", "Push again."
)
LOST = PushError(
    "The push was interrupted: its process was killed.",
    "Push again: files that are there already are not sent twice.",
)


def lose(pk: int) -> None:
    fail(pk, LOST.as_json())


def done(pk: int, url: str) -> None:
    HubPush.objects.filter(pk=pk, status=S.RUNNING).update(
        status=S.DONE, url=url, sealed_token="", ended=timezone.now()
    )


def fail(pk: int, error: Mapping[str, JsonValue]) -> None:
    HubPush.objects.filter(pk=pk, status=S.RUNNING).update(
        status=S.FAILED, error=dict(error), sealed_token="", ended=timezone.now()
    )


def requeue_lost() -> None:
    for push in HubPush.objects.filter(status__in=OPEN):
        enqueue(push_job(push))
