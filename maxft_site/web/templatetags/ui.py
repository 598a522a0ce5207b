"""Tags and filters of the look: icons, states, controls, numbers with their units."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps

from django import template
from django.forms import CheckboxInput, Select, Widget
from django.forms.boundfield import BoundField
from django.template.context import RequestContext
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from maxft_site.web.formatting import (
    NOTHING,
    bytes_of,
    count,
    duration,
    percent,
    sig,
    size,
)

register = template.Library()

STATE_ICONS = {
    "active": "active",
    "note": "arrow",
    "ok": "done",
    "warn": "alert",
    "bad": "error",
    "stopped": "stop",
}


def or_nothing(function: Callable[..., str]) -> Callable[..., str]:
    """The filter of a function of numbers: what a template does not find is an empty string."""

    @wraps(function)
    def written(value: object, *options: object) -> str:
        return NOTHING if value is None or value == "" else function(value, *options)

    return written


for function in (bytes_of, count, duration, percent, sig):
    register.filter(function.__name__, or_nothing(function))
register.filter("bytes", or_nothing(size))


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing of icons.svg; the word stands beside it, so it is hidden from readers."""
    address = static("img/icons.svg")
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', address, name
    )


@register.inclusion_tag("components/status_badge.html")
def status_badge(state: str, word: str, icon: str = "") -> dict[str, str]:
    """`state`: active, note, ok, warn, bad, stopped or empty for what only waits."""
    return {"state": state, "word": word, "icon": icon or STATE_ICONS.get(state, "clock")}


@register.inclusion_tag("components/rail_link.html", takes_context=True)
def rail_link(
    context: RequestContext, view: str, icon: str, word: str, count: int | None = None
) -> dict[str, object]:
    """A link of the main navigation, marked where the page lies under it."""
    address = reverse(view)
    path = context["request"].path
    current = path == address or (address != "/" and path.startswith(address))
    return {"address": address, "icon": icon, "word": word, "count": count, "current": current}


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """A form field's control, with Bootstrap's class for its kind."""
    widget = field.field.widget
    classes = [str(widget.attrs.get("class", "")), control_class(widget)]
    if field.errors:
        classes.append("is-invalid")
    return field.as_widget(attrs={"class": " ".join(filter(None, classes))})


def control_class(widget: Widget) -> str:
    if isinstance(widget, CheckboxInput):
        return "form-check-input"
    return "form-select" if isinstance(widget, Select) else "form-control"


@register.filter
def ago(moment: datetime | None) -> str | SafeString:
    """A time as seen from now, the absolute one on hover."""
    if moment is None:
        return NOTHING
    seconds = (timezone.now() - moment).total_seconds()
    if abs(seconds) < 45:
        words = "just now" if seconds >= 0 else "in a moment"
    else:
        far = duration(max(abs(seconds), 60))
        words = f"{far} ago" if seconds > 0 else f"in {far}"
    absolute = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', moment.isoformat(), absolute, words
    )


@register.filter
def clock(moment: datetime | None) -> str | SafeString:
    """A time of today as a clock shows it; the browser's script puts its own zone in."""
    if moment is None:
        return NOTHING
    utc = moment.astimezone(UTC)
    words = utc.strftime("%H:%M UTC")
    return format_html(
        '<time datetime="{}" title="{}" data-clock>{}</time>',
        moment.isoformat(),
        utc.strftime("%Y-%m-%d %H:%M UTC"),
        words,
    )
