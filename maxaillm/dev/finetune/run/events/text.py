"""Event data as text, for terminals and logs."""

from __future__ import annotations

from collections.abc import Mapping


def data_text(data: Mapping[str, object]) -> str:
    """`loss 1.183  tokens 2,048`, whatever the kind of the event; what is empty is left out."""
    written = ((name, value_text(value)) for name, value in data.items())
    return "  ".join(f"{name} {text}" for name, text in written if text)


def value_text(value: object) -> str:
    """A number, some text, or what lies inside: `metrics (eval_loss 0.5, rows 9)`."""
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        inside = data_text(value).replace("  ", ", ")
        return f"({inside})" if inside else ""
    if isinstance(value, list | tuple):
        return (
            " to ".join(map(value_text, value))
            if is_pair(value)
            else ", ".join(map(value_text, value))
        )
    return "" if value is None else " ".join(str(value).split())


def is_pair(value: list[object] | tuple[object, ...]) -> bool:
    """Whether these are the two ends of an interval."""
    return len(value) == 2 and all(isinstance(end, float) for end in value)
