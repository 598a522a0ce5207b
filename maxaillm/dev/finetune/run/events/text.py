"""Event data as text, for terminals and logs."""

from __future__ import annotations

from collections.abc import Mapping


def data_text(data: Mapping[str, object]) -> str:
    """`loss 1.183  tokens 2,048`, whatever the kind of the event; what is empty is left out."""
    return "  ".join(f"{name} {value_text(value)}" for name, value in data.items() if value != "")


def value_text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).split())
