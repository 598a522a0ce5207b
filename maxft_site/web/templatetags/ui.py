"""Tags and filters of the look: icons, states, controls, numbers with their units."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import floor, isfinite, log10

from django import template
from django.forms import CheckboxInput, Select, Widget
from django.forms.boundfield import BoundField
from django.template.context import RequestContext
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
STATE_ICONS = {
    "active": "active",
    "note": "arrow",
    "ok": "done",
    "warn": "alert",
    "bad": "error",
    "stopped": "stop",
}
NOTHING = "–"


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
def count(number: float | None) -> str:
    """1204 → 1,204."""
    return NOTHING if number is None else f"{number:,.0f}"


@register.filter(name="bytes")
def size(number: float | None) -> str:
    """3200000 → 3.2 MB; a kB is 1,000 bytes, as on a disk's label."""
    if number is None:
        return NOTHING
    step = min(int(log10(number) / 3), len(UNITS) - 1) if number >= 1 else 0
    if step == 0:
        return f"{number:,.0f} {'byte' if number == 1 else 'bytes'}"
    return f"{number / 1000**step:,.1f} {UNITS[step]}"


@register.filter
def bytes_of(used: float, total: float) -> str:
    """17600000000 of 24000000000 → 17.6 of 24.0 GB."""
    figure, _, unit = size(total).partition(" ")
    step = UNITS.index(unit) if unit in UNITS else 0
    return f"{used / 1000**step:,.{1 if step else 0}f} of {figure} {unit}"


@register.filter
def duration(value: float | timedelta | None) -> str:
    """Seconds or a timedelta → 0.4 s, 12 s, 19 min, 2 h 5 min, 3 d 4 h."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days:,} d {hours} h" if hours else f"{days:,} d"


@register.filter
def ago(moment: datetime | None) -> str | SafeString:
    """A time as seen from now, the absolute one on hover."""
    if moment is None:
        return NOTHING
    seconds = (timezone.now() - moment).total_seconds()
    if abs(seconds) < 45:
        words = "just now"
    else:
        far = duration(max(abs(seconds), 60))
        words = f"{far} ago" if seconds > 0 else f"in {far}"
    absolute = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), absolute, words
    )


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """0.612 → 61 %."""
    return NOTHING if share is None else f"{share * 100:.{digits}f} %"


@register.filter
def sig(number: float | None) -> str:
    """Three significant figures: 1.07, 0.412, 3,900; small ones as 7.0e-5."""
    if number is None:
        return NOTHING
    if not isfinite(number):
        return str(number)
    if number == 0:
        return "0"
    size = floor(log10(abs(number)))
    if size < -3:
        mantissa, exponent = f"{number:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{number:,.{max(0, 2 - size)}f}"
