"""Numbers with their units: counts, sizes, durations, shares, significant figures; typed ones."""

from __future__ import annotations

from datetime import timedelta
from math import floor, isfinite, log10

MOST_DIGITS = 18
"""So many fit into a column of a database."""
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
NOTHING = "–"
MOST_COUNTED = 1e15
"""From here on a count is written in powers of ten: no number makes a page wider."""
MOST_PERCENT = 1e5


def typed_number(text: str) -> int | None:
    """The whole number that an address or a form names; None where it names none, or no such one
    can be in a database."""
    is_one = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if is_one else None


def count(number: float | None) -> str:
    """1204 → 1,204."""
    if number is None:
        return NOTHING
    return f"{number:,.0f}" if abs(number) < MOST_COUNTED else sig(number)


def size(number: float | None) -> str:
    """3200000 → 3.2 MB; a kB is 1,000 bytes, as on a disk's label."""
    if number is None:
        return NOTHING
    if not abs(number) < MOST_COUNTED * 1e6:
        return f"{sig(number / 1e15)} PB"
    step = min(int(log10(number) / 3), len(UNITS) - 1) if number >= 1 else 0
    if step == 0:
        return f"{number:,.0f} {'byte' if number == 1 else 'bytes'}"
    return f"{number / 1000**step:,.1f} {UNITS[step]}"


def bytes_of(used: float, total: float) -> str:
    """17600000000 of 24000000000 → 17.6 of 24.0 GB."""
    figure, _, unit = size(total).partition(" ")
    step = UNITS.index(unit) if unit in UNITS else 0
    return f"{used / 1000**step:,.{1 if step else 0}f} of {figure} {unit}"


def duration(value: float | timedelta | None) -> str:
    """Seconds or a timedelta → 0.4 s, 12 s, 19 min, 2 h 5 min, 3 d 4 h."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is None or not isfinite(seconds):
        return NOTHING
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
    return f"{count(days)} d {hours} h" if hours and days < 1000 else f"{count(days)} d"


def percent(share: float | None, digits: int = 0) -> str:
    """0.612 → 61 %."""
    if share is None:
        return NOTHING
    if not abs(share) < MOST_PERCENT:
        return f"{sig(share * 100)} %"
    return f"{share * 100:.{digits}f} %"


def sig(number: float | None) -> str:
    """Three significant figures: 1.07, 0.412, 3,900; small and large ones as 7.0e-5, 3.9e60."""
    if number is None:
        return NOTHING
    if not isfinite(number):
        return str(number)
    if number == 0:
        return "0"
    size = floor(log10(abs(number)))
    if not -4 < size < 7:
        mantissa, exponent = f"{number:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{number:,.{max(0, 2 - size)}f}"
