"""What was asked of deployments: counted by day, and written to the request log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs.models import Deployment, DeploymentKey, LanguageModel, RequestLog, UsageDay
from jobs.services.deployments.latency import bucket_of, merged, percentile
from jobs.services.deployments.limits import take_refused

MOST_LOGGED = 10_000
"""Entries of one deployment's log."""
TRIMMED_EVERY = 500


class Visit(NamedTuple):
    """How a request to a deployment went."""

    deployment: Deployment
    key: DeploymentKey | None
    model: LanguageModel
    call: str
    outcome: str
    """stop, length, …; where it failed the error's code."""
    failed: bool
    prompt_tokens: int
    completion_tokens: int
    first_token_ms: int | None
    whole_ms: int


def record(visit: Visit) -> None:
    """Count a request, and log it where that is wanted; nothing where the deployment is gone."""
    with transaction.atomic():
        if not Deployment.objects.select_for_update().filter(pk=visit.deployment.pk).exists():
            return
        key = DeploymentKey.objects.filter(pk=visit.key.pk).first() if visit.key else None
        day = day_of(visit.deployment, key, timezone.now().date())
        day.requests += 1
        day.errors += visit.failed
        day.prompt_tokens += visit.prompt_tokens
        day.completion_tokens += visit.completion_tokens
        if not visit.failed:
            add(day.whole, visit.whole_ms)
            if visit.first_token_ms is not None:
                add(day.first_token, visit.first_token_ms)
        day.save()
        if visit.deployment.keeps_log:
            log(visit, key)


def day_of(deployment: Deployment, key: DeploymentKey | None, day: date) -> UsageDay:
    return UsageDay.objects.get_or_create(deployment=deployment, key=key, day=day)[0]


def add(histogram: dict[str, int], milliseconds: float) -> None:
    bucket = bucket_of(milliseconds)
    histogram[bucket] = histogram.get(bucket, 0) + 1


def log(visit: Visit, key: DeploymentKey | None) -> None:
    facts = visit._asdict() | {"key": key}
    entry = RequestLog.objects.create(**facts)
    if entry.pk % TRIMMED_EVERY == 0:
        trim(visit.deployment)


def trim(deployment: Deployment) -> None:
    """Delete what is too old or too much of a log."""
    entries = RequestLog.objects.filter(deployment=deployment)
    oldest = timezone.now() - timedelta(days=deployment.log_days)
    entries.filter(time__lt=oldest).delete()
    kept = entries.order_by("-pk").values_list("pk", flat=True)[MOST_LOGGED : MOST_LOGGED + 1]
    if last := next(iter(kept), None):
        entries.filter(pk__lte=last).delete()


def trim_all() -> None:
    """Now and again, by the watchdog: also of deployments that nobody asks any more."""
    for deployment in Deployment.objects.all():
        trim(deployment)


def count_refused(deployment: Deployment) -> None:
    """Write down how many were over a limit; Redis counts them, so that refusing costs little."""
    refused = take_refused(deployment)
    if not refused:
        return
    today = timezone.now().date()
    known = set(deployment.keys.values_list("pk", flat=True))
    with transaction.atomic():
        Deployment.objects.select_for_update().filter(pk=deployment.pk).first()
        for number, count in refused.items():
            key = DeploymentKey(pk=number) if number in known else None
            day = day_of(deployment, key, today)
            UsageDay.objects.filter(pk=day.pk).update(refused=F("refused") + count)


class Totals(NamedTuple):
    """Of a day, or of several."""

    requests: int
    refused: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    first_token_p50: float | None
    """Seconds; None where nothing was answered."""
    first_token_p95: float | None
    whole_p50: float | None
    whole_p95: float | None


def totals_of(days: Sequence[UsageDay]) -> Totals:
    counts = (
        sum(getattr(day, name) for day in days)
        for name in ("requests", "refused", "errors", "prompt_tokens", "completion_tokens")
    )
    first, whole = merged(d.first_token for d in days), merged(d.whole for d in days)
    shares = (percentile(times, share) for times in (first, whole) for share in (0.5, 0.95))
    return Totals(*counts, *shares)


class DayTotals(NamedTuple):
    day: date
    totals: Totals


def by_day(deployment: Deployment, days: int) -> list[DayTotals]:
    """The last `days` days, today last, those without a request too."""
    count_refused(deployment)
    today = timezone.now().date()
    wanted = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    rows = list(deployment.usage.filter(day__gte=wanted[0]))
    return [DayTotals(day, totals_of([row for row in rows if row.day == day])) for day in wanted]


def today_of(deployment: Deployment) -> list[UsageDay]:
    return list(deployment.usage.filter(day=timezone.now().date()))


def used_today(deployment: Deployment) -> dict[int | None, int]:
    """Key's number -> requests of today."""
    return {row.key_id: row.requests for row in today_of(deployment)}
