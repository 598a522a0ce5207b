"""Numbers with their units: counts, sizes, durations, shares, significant figures; typed ones."""

from __future__ import annotations

from datetime import timedelta
from math import floor, isfinite, log10

MOST_DIGITS = 18
"""So many fit into a column of a database."""
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
NOTHING = "–"


def typed_number(text: str) -> int | None:
    """The whole number that an address or a form names; None where it names none, or no such one
    can be in a database."""
    is_one = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if is_one else None


def count(number: float | None) -> str:
    """1204 → 1,204."""
    return NOTHING if number is None else f"{number:,.0f}"


def size(number: float | None) -> str:
    """3200000 → 3.2 MB; a kB is 1,000 bytes, as on a disk's label."""
    if number is None:
        return NOTHING
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


def percent(share: float | None, digits: int = 0) -> str:
    """0.612 → 61 %."""
    return NOTHING if share is None else f"{share * 100:.{digits}f} %"


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
