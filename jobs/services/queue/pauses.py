"""Pauses of the queue: an owner of the site has a kind of device, or all, take nothing new."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from jobs.models import QueuePause


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
