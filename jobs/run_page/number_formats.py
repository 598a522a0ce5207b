"""Number formats of metrics: in the words of a page, and in d3's language for charts."""

from __future__ import annotations

from collections.abc import Callable

from maxaillm.dev.finetune.run.events.metric_info import Format, MetricInfo
from maxft_site.web.formatting import NOTHING, count, percent, sig, size

D3_FORMATS: dict[Format, str] = {
    "number": ".4~g",
    "decimal": ".4~f",
    "scientific": "",
    "count": ",.0f",
    "bytes": ".3~s",
    "percent": ".0%",
}
"""Empty: as Plotly likes."""
WORDS: dict[Format, Callable[[float], str]] = {"count": count, "bytes": size}


def figure_and_unit(info: MetricInfo, value: float | None, digits: int = 0) -> tuple[str, str]:
    """A value of a metric and its unit: ("61", "%"), ("3.2", "GB"), ("1,840", "tokens/s")."""
    if value is None:
        return NOTHING, ""
    if info.format == "percent":
        written = percent(value, digits)
    else:
        written = WORDS.get(info.format, sig)(value)
    figure, _, unit = written.partition(" ")
    return figure, unit or info.unit


def in_words(info: MetricInfo, value: float | None, digits: int = 0) -> str:
    """A value of a metric with its unit."""
    return " ".join(figure_and_unit(info, value, digits)).strip()
