"""Claims: which waiting run a free worker takes, and which one at work makes room.

The queue in Redis only says that something waits; whose turn it is follows from the accounts when
a worker asks, under a lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, QuerySet

from jobs.models import ACTIVE, DeviceAccount, Run, Status
from jobs.scheduling.policy import Candidate, fair, must_make_room
from jobs.services import attempts
from jobs.services.queue import pauses
from jobs.services.queue.accounts import lift, weight_of
from jobs.services.queue.pauses import is_paused
from maxaillm.dev.finetune.provider_options import providers
from maxft_site.web.enqueue import enqueue, enqueue_on_commit


def enter_queue(run: Run) -> None:
    """What follows where a run begins to wait, in the transaction that made it wait; nothing
    before it is in turn."""
    if not run.is_ready:
        return
    lift(run)
    enqueue_on_commit(attempts.training_job())


def suited(kind: str) -> QuerySet[Run]:
    """The waiting runs that a device of this kind can carry out."""
    named = ((name, provider.devices) for name, provider in providers.items())
    others = [name for name, devices in named if devices and kind not in devices]
    waiting = Run.objects.waiting()
    return waiting.exclude(config__provider__name__in=others) if others else waiting


def working() -> Counter[int]:
    """User -> how many runs are at work."""
    rows = Run.objects.active().values_list("owner").annotate(Count("pk"))
    return Counter(dict(rows))


def is_full(at_work: int) -> bool:
    """Whether a user with so many runs at work gets no other one started."""
    return 0 < settings.MAX_RUNNING_RUNS <= at_work


def startable() -> int:
    """How many waiting runs could start if there were workers enough."""
    if is_paused():
        return 0
    waiting = Counter(Run.objects.waiting().values_list("owner", flat=True))
    if not settings.MAX_RUNNING_RUNS:
        return waiting.total()
    at_work = working()
    return sum(
        max(0, min(number, settings.MAX_RUNNING_RUNS - at_work[owner]))
        for owner, number in waiting.items()
    )


def call_for_more() -> None:
    """A run has left its device: somebody who had all that they may can start another one, for
    which the job may be spent."""
    if settings.MAX_RUNNING_RUNS and startable():
        enqueue(attempts.training_job())


def open_again(*, kind: str, by: User) -> None:
    """Let what was paused take new runs. Raises PermissionDenied."""
    pauses.end(kind=kind, by=by)
    for _ in range(startable()):
        enqueue_on_commit(attempts.training_job())


def candidates(kind: str) -> Iterator[Candidate]:
    """Each user of whom a run waits and may start, with the first of these runs."""
    accounts = DeviceAccount.objects.select_for_update().filter(kind=kind)
    reached = dict(accounts.values_list("user", "virtual"))
    at_work, seen = working(), set()
    rows = suited(kind).values_list("owner", "pk", "priority", "queued_at")
    for owner, pk, priority, queued_at in rows:
        if owner in seen or is_full(at_work[owner]):
            continue
        seen.add(owner)
        arrival = queued_at.timestamp() if queued_at else 0.0
        yield Candidate(owner, reached.get(owner, 0.0), arrival, pk, priority)


def next_in_turn(kind: str) -> Candidate | None:
    """None where nothing waits that may start, or this kind of device takes nothing new."""
    if is_paused(kind):
        return None
    return min(candidates(kind), key=fair, default=None)


def claim_next(*, worker: str, kind: str) -> Run | None:
    """Begin an attempt at the run whose turn it is; None where none may start."""
    with transaction.atomic():
        while chosen := next_in_turn(kind):
            DeviceAccount.objects.get_or_create(user_id=chosen.user, kind=kind)
            if run := attempts.claim(chosen.run, worker=worker, kind=kind):
                return run
    return None


def make_room(run_id: int, attempt: int) -> bool | None:
    """Have a run that has had its quantum leave for one whose owner is further behind.

    None where another run is leaving just now: whether this one has to is not known before.
    """
    with transaction.atomic():
        run = attempts.owned(run_id, attempt)
        if run is None or run.stop or run.status not in {Status.STARTING, Status.RUNNING}:
            return False
        leaving = Run.objects.filter(stop=Run.Stop.ROOM, status__in=ACTIVE)
        if leaving.filter(device_kind=run.device_kind).exists():
            return None
        first = next_in_turn(run.device_kind)
        quantum = settings.QUANTUM_SECONDS
        if not must_make_room(standing(run), first, quantum=quantum, weight=weight_of(run.owner)):
            return False
        return bool(Run.objects.filter(pk=run.pk, stop="").update(stop=Run.Stop.ROOM))


def standing(run: Run) -> Candidate:
    """A run at work, as the policy sees it."""
    account = DeviceAccount.objects.filter(user=run.owner, kind=run.device_kind).first()
    virtual = account.virtual if account else 0.0
    return Candidate(run.owner_id, virtual, 0.0, run.pk, run.priority)
