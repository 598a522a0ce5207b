"""Accounts of device time: charged as devices are used, and lifted where a user comes back."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from jobs.models import ACTIVE, DeviceAccount, Run, Status
from jobs.scheduling.policy import lifted


def weight_of(user: User) -> float:
    """What device time a user is due, beside a member's 1."""
    return float(settings.OWNER_WEIGHT) if user.is_superuser else 1.0


def charge(run: Run, seconds: float) -> None:
    """Add time that a run has had its device to its owner's account."""
    training = run.config.get("training", {})
    devices = int(training.get("devices", 1)) if run.device_kind == "cuda" else 1
    used = seconds * devices
    mine = DeviceAccount.objects.filter(user=run.owner, kind=run.device_kind)
    with transaction.atomic():
        mine.update(
            virtual=F("virtual") + used / weight_of(run.owner),
            device_seconds=F("device_seconds") + used,
        )
        Run.objects.filter(pk=run.pk).update(device_seconds=F("device_seconds") + used)


def active_users(kind: str, *, but: Run | None = None) -> set[int]:
    """Those of whom a run waits, or works on this kind of device; `but` is left out."""
    runs = Run.objects.exclude(pk=but.pk) if but else Run.objects.all()
    waiting = runs.filter(status=Status.QUEUED, is_ready=True, deleted=None)
    working = runs.filter(status__in=ACTIVE, device_kind=kind)
    return {pk for found in (waiting, working) for pk in found.values_list("owner", flat=True)}


def lift(run: Run) -> None:
    """Its owner comes back with this run: bring the accounts up to those who are there."""
    kinds = DeviceAccount.objects.values_list("kind", flat=True).distinct()
    for kind in list(kinds):
        active = active_users(kind, but=run)
        if run.owner_id in active:
            continue
        reached = dict(DeviceAccount.objects.filter(kind=kind).values_list("user", "virtual"))
        there = [reached.get(user, 0.0) for user in active]
        own = lifted(reached.get(run.owner_id, 0.0), there, max(reached.values()))
        DeviceAccount.objects.update_or_create(user=run.owner, kind=kind, defaults={"virtual": own})
