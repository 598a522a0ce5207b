"""Pauses of the queue: an owner of the site has a kind of device, or all, take nothing new."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from jobs.models import QueuePause
from jobs.services.queue.kinds import KINDS


def is_paused(kind: str = QueuePause.EVERYTHING) -> bool:
    """Whether this kind of device takes nothing new, for itself or with all others."""
    return QueuePause.objects.filter(kind__in={QueuePause.EVERYTHING, kind}).exists()


def pauses() -> dict[str, QueuePause]:
    """By kind of device; `EVERYTHING` comes first."""
    return {pause.kind: pause for pause in QueuePause.objects.select_related("by").order_by("kind")}


def begin(*, kind: str, by: User, why: str = "") -> None:
    """What runs goes on; what is to start waits. Pausing twice is no mistake.

    Raises PermissionDenied where `by` is no owner of the site.
    """
    require_owner(by)
    QueuePause.objects.get_or_create(kind=kind, defaults={"by": by, "why": why.strip()[:200]})


def end(*, kind: str, by: User) -> None:
    """Raises PermissionDenied."""
    require_owner(by)
    QueuePause.objects.filter(kind=kind).delete()


def require_owner(by: User) -> None:
    if not by.is_superuser:
        raise PermissionDenied


def paused_by(paused: Mapping[str, QueuePause], kind: str) -> QueuePause | None:
    return paused.get(QueuePause.EVERYTHING) or paused.get(kind)


def in_words(pause: QueuePause) -> str:
    """Who has paused what, and why."""
    what = f"The {KINDS.get(pause.kind, pause.kind)}" if pause.kind else "The queue"
    who = f" by {pause.by.get_username()}" if pause.by else ""
    why = f", {pause.why.rstrip('.')}" if pause.why else ""
    return f"{what} is paused{who}{why}"
