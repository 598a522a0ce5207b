"""Text of others on a terminal: nothing in it may steer the terminal.

A model's answer or a dataset's name may hold escape sequences that clear the screen, set its
title, write the clipboard or turn the reading direction. What is not printable is shown as �.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""All control characters but tab and line feed, and marks that turn the reading direction."""
SURROGATE = re.compile(r"[\ud800-\udfff]")


def plain(text: object) -> str:
    """A text of several lines without anything that steers a terminal."""
    whole = str(text).replace("\r\n", "\n")
    return SURROGATE.sub("\ufffd", STEERING.sub("\ufffd", whole))


def one_line(text: object) -> str:
    """The same in one line, such as a name in a table."""
    return " ".join(plain(text).split())


def figure(value: object) -> str:
    """A number as people read it; what is none as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else one_line(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def size(size_bytes: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.3g} GB"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(text: str | None) -> str:
    """A time of the API in this machine's zone."""
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return one_line(text)


def pairs(data: Mapping[str, object]) -> str:
    """Figures and words of an event in one line."""
    shown = ((name, value) for name, value in data.items() if is_short(value))
    return "  ".join(f"{one_line(name)} {figure(value)}" for name, value in shown)


def is_short(value: object) -> bool:
    if isinstance(value, Sequence | Mapping) and not isinstance(value, str):
        return False
    return value is not None and len(str(value)) <= 300
