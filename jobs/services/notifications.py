"""Notifications: channels made, notices ordered where something happens, tried again, given up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs import live
from jobs.models import Notice, NotificationChannel, Occasion, Run, Status
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.enqueue import JobSpec, enqueue_on_commit

Kind = NotificationChannel.Kind
PAUSES = [timedelta(seconds=s) for s in (10, 60, 600, 3600, 6 * 3600)]
"""Between tries; after the last one a notice is given up."""
GRACE = timedelta(seconds=60)
"""A try that takes longer has died with its worker."""
BROWSER_TIME = timedelta(hours=24)
"""So long a notice waits for a page of its owner's to be open."""
TEST_PAUSE = timedelta(seconds=10)
MOST_CONFIRMATIONS = 10
"""Mails to addresses that nobody has confirmed, of one person in an hour."""


class TooManyError(FineTuneError):
    """Somebody has as many channels of a kind as one person may have, or tests them too fast."""

    code = "too_many_channels"
    status = 409


@transaction.atomic
def add_channel(
    *, owner: User, kind: str, target: str = "", site_url: str = "", is_confirmed: bool = True
) -> NotificationChannel:
    """One that is there already stays as it is. Raises TooManyError."""
    User.objects.select_for_update().get(pk=owner.pk)
    own = NotificationChannel.objects.visible_to(owner).filter(kind=kind)
    found = own.filter(target=target).first()
    if found is not None:
        return found
    if own.count() >= NotificationChannel.MOST:
        name = str(Kind(kind).label)
        raise TooManyError(
            f"There are {NotificationChannel.MOST} already of the kind “{name}”, as many as one "
            "person may have.",
            "Delete one of them.",
        )
    return NotificationChannel.objects.create(
        owner=owner, kind=kind, target=target, site_url=site_url, is_confirmed=is_confirmed
    )


def choose_occasions(
    channel: NotificationChannel, occasions: Sequence[str], wait_hours: int
) -> None:
    channel.occasions, channel.wait_hours = list(occasions), wait_hours
    channel.save(update_fields=["occasions", "wait_hours"])


def confirm(channel: NotificationChannel) -> None:
    channel.is_confirmed = True
    channel.save(update_fields=["is_confirmed"])


def tell_of_move(run: Run, to: str) -> None:
    """Tell the owner's channels what a change of state means, in the transaction that made it."""
    occasion = occasion_of(run, to)
    if occasion is not None:
        tell(run, occasion)


def occasion_of(run: Run, to: str) -> Occasion | None:
    if to == Status.FAILED:
        is_diverged = run.verdict is not None and run.verdict["code"] == "diverged"
        return Occasion.DIVERGED if is_diverged else Occasion.FAILED
    if to == Status.PAUSED:
        asked = run.transitions.filter(to__in=[Status.PAUSING, Status.PAUSED])
        asker = asked.exclude(came_from=Status.PAUSING).order_by("-pk").first()
        is_own = asker is not None and asker.by == run.owner.get_username()
        return None if is_own else Occasion.NEEDS_PERSON
    ends = {str(Status.SUCCEEDED): Occasion.FINISHED, str(Status.CANCELLED): Occasion.STOPPED}
    return ends.get(str(to))


def tell(run: Run, occasion: Occasion) -> None:
    for channel in NotificationChannel.objects.filter(owner_id=run.owner_id, is_confirmed=True):
        if occasion in channel.occasions:
            order(channel, run, occasion)


def tell_of_waiting() -> None:
    """Tell of the runs that wait for longer than a channel's owner likes, once each."""
    now = timezone.now()
    named = f'"{Occasion.WAITS}"'
    wanted = NotificationChannel.objects.filter(is_confirmed=True, occasions__icontains=named)
    for channel in wanted:
        since = now - timedelta(hours=channel.wait_hours)
        told = Notice.objects.filter(channel=channel, occasion=Occasion.WAITS).values("run")
        waiting = Run.objects.waiting().filter(owner=channel.owner_id, queued_at__lt=since)
        for run in waiting.exclude(pk__in=told):
            with transaction.atomic():
                order(channel, run, Occasion.WAITS)


def order(channel: NotificationChannel, run: Run, occasion: Occasion) -> None:
    """A notice, once; it is sent when the transaction is through."""
    notice, is_new = Notice.objects.get_or_create(channel=channel, run=run, occasion=occasion)
    if is_new:
        send_later(notice)


def order_test(channel: NotificationChannel) -> Notice:
    """A test. Raises TooManyError where one was sent a moment ago."""
    last = channel.notices.filter(run=None).first()
    if last is not None and timezone.now() - last.created < TEST_PAUSE:
        raise TooManyError("A test was sent a moment ago.", "Wait ten seconds.")
    if not channel.is_confirmed:
        count_confirmation(channel.owner_id)
    channel.notices.filter(run=None).delete()
    notice = Notice.objects.create(channel=channel)
    send_later(notice)
    return notice


def count_confirmation(user_id: int) -> None:
    """Strangers get few mails in anybody's name. Raises TooManyError."""
    key = f"mail-confirmations-{user_id}"
    cache.add(key, 0, timeout=3600)
    if cache.incr(key) > MOST_CONFIRMATIONS:
        raise TooManyError(
            f"{MOST_CONFIRMATIONS} links to confirm addresses were sent within an hour.",
            "Wait an hour.",
        )


def send_later(notice: Notice) -> None:
    """By a worker or, to a browser, by the sockets of open pages."""
    channel = notice.channel
    if channel.kind == Kind.BROWSER:
        transaction.on_commit(partial(live.announce_notice, channel.owner_id))
        return
    notice.next_try = timezone.now() + GRACE
    notice.save(update_fields=["next_try"])
    enqueue_on_commit(notice_job(notice))


def notice_job(notice: Notice) -> JobSpec:
    name = f"notice-{notice.pk}-{notice.tries}"
    return JobSpec(queue="light", task="jobs.tasks.deliver", args=(notice.pk,), id=name)


def due() -> Iterable[Notice]:
    """What has to be tried again, or never was because its job was lost."""
    return Notice.objects.filter(next_try__lte=timezone.now())


def begin(pk: int) -> Notice | None:
    """Take a notice to send it; None where another worker does, or it needs no sending."""
    with transaction.atomic():
        locked = Notice.objects.select_for_update(of=("self",))
        found = locked.filter(pk=pk, next_try__isnull=False)
        notice = found.select_related("channel__owner", "run").first()
        if notice is None:
            return None
        notice.tries += 1
        pauses = PAUSES[notice.tries - 1 : notice.tries]
        notice.next_try = timezone.now() + pauses[0] + GRACE if pauses else None
        notice.save(update_fields=["tries", "next_try"])
    return notice


def end(notice: Notice, error: str = "") -> None:
    """Note how a try ended."""
    notice.error = error[:300]
    if not error:
        notice.sent, notice.next_try = timezone.now(), None
    notice.save(update_fields=["error", "sent", "next_try"])


def for_browser(user_id: int) -> list[Notice]:
    """What a person's open pages have not shown yet, the oldest first."""
    waiting = Notice.objects.filter(
        channel__owner=user_id,
        channel__kind=Kind.BROWSER,
        sent=None,
        created__gt=timezone.now() - BROWSER_TIME,
    )
    return list(waiting.select_related("run", "channel").order_by("pk")[:20])


def shown(user_id: int, pk: int) -> None:
    """A page has shown a notice."""
    own = Notice.objects.filter(channel__owner=user_id, channel__kind=Kind.BROWSER)
    own.filter(pk=pk, sent=None).update(sent=timezone.now(), tries=F("tries") + 1)
