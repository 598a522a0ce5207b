"""Tags for runs: their badge, their method's name, their loss as a small line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone

from jobs.models import Run
from jobs.run_page.number_formats import in_words
from jobs.run_page.scores import DIGITS, Score, headline
from jobs.run_page.states import look_of
from jobs.services.lifecycle.retry import WAYS, Remedy, remedy_for
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.run.events.run_metrics import metric_info
from maxaillm.dev.finetune.tasks import TASKS
from maxft_site.web.formatting import NOTHING, count
from maxft_site.web.templatetags.ui import status_badge

register = template.Library()

SPARK_WIDTH, SPARK_HEIGHT, SPARK_EDGE = 100, 24, 2


@register.inclusion_tag("components/status_badge.html")
def run_badge(run: Run) -> dict[str, str]:
    look = look_of(run)
    return status_badge(look.badge, look.word, look.icon)


@register.filter
def method_label(run: Run) -> str:
    """The tuning method's name for people; as it stands where it is no longer installed."""
    name = str(run.config.get("tuning", {}).get("name", ""))
    return methods[name].label if name in methods else name


@register.filter
def remedy(run: Run) -> Remedy | None:
    """How a failed run is tried again with one click; None where a person has to look first."""
    if run.verdict and run.verdict["code"] == "diverged":
        return None
    found = remedy_for(run)
    return found if found.way in WAYS else None


@register.filter
def task_label(name: str) -> str:
    """What a task is called."""
    return TASKS[name].label if name in TASKS else name


@register.filter
def headline_score(measured: dict[str, object]) -> Score | None:
    """The metric that a list has room for."""
    return headline(measured)


@register.filter
def rate(value: float) -> str:
    """A learning rate as people write it: 0.0002 → 2e-4."""
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}" if value < 0.01 else f"{value:g}"


@register.filter
def as_json(value: object) -> str:
    """For a data- attribute, where Django escapes it."""
    return json.dumps(value)


@register.filter
def elapsed(run: Run) -> timedelta | None:
    """From the first attempt's beginning to the end, or to now."""
    return (run.ended or timezone.now()) - run.started if run.started else None


@register.filter
def from_clock(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@register.filter
def spark_path(values: Sequence[float]) -> str:
    """The `d` of a line through the values, left to right; empty for fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    height, span = SPARK_HEIGHT - 2 * SPARK_EDGE, (high - low) or 1.0
    points = (
        f"{SPARK_WIDTH * place / (len(values) - 1):.1f} "
        f"{SPARK_EDGE + height * (high - value) / span:.1f}"
        for place, value in enumerate(values)
    )
    return "M" + " ".join(points)


@register.filter
def item(mapping: dict[object, object], key: object) -> object:
    """The value under a key that only a variable knows."""
    return mapping.get(key)


@register.filter
def item_at(items: Sequence[object], place: int) -> object:
    """The one at a place that only a variable knows."""
    return items[place]


@register.filter
def metric_label(name: str) -> str:
    """What a metric is called."""
    return metric_info(name).label


@register.filter
def metric_value(value: float | None, name: str) -> str:
    """A value of a metric in its unit."""
    return in_words(metric_info(name), value, DIGITS)


@register.filter
def usage_words(usage: Mapping[str, float | None]) -> str:
    """What an answer took: its tokens, their pace, the wait for the first, the prompt's tokens."""
    pace, first = usage.get("tokens_per_second"), usage.get("first_token_seconds")
    words = [
        f"{count(usage.get('completion_tokens'))} tokens",
        f"{pace} tokens a second" if pace else "",
        f"the first after {NOTHING if first is None else first} s",
        f"{count(usage.get('prompt_tokens'))} tokens read",
    ]
    return ", ".join(filter(None, words))
