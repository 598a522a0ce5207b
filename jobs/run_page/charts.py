"""Charts of a run page as Plotly figures, coloured by the names of CSS variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobs.models import Run
from jobs.run_page.number_formats import D3_FORMATS
from jobs.run_page.series import WHOLE, Point, Window, read_series
from maxaillm.dev.finetune.run.events.metric_info import MetricInfo
from maxaillm.dev.finetune.run.events.run_metrics import RunMetric, declared_metrics, find_metric

COLORS = 4
"""So many `--series-…` there are."""
MARKER_ROOM = 0.05


class Chart(NamedTuple):
    """Metrics that are drawn together; unit, format and bounds are those of the first."""

    name: str
    title: str
    metrics: list[RunMetric]
    has_points: bool = False
    """Whether anything was measured yet that it draws."""

    @property
    def info(self) -> MetricInfo:
        return self.metrics[0].info

    def series_number(self, place: int) -> int:
        """Which of the series' colours a metric has; validation has the second, also alone."""
        return (place + self.metrics[0].is_sparse) % COLORS + 1


def charts_of(run: Run) -> list[Chart]:
    """The charts of every run, then one for each evaluation metric of this one."""
    chosen = run.config.get("evaluation", {}).get("metrics", [])
    evaluated = [metric for name in chosen if (metric := find_metric(name))]
    charts: dict[str, Chart] = {}
    for metric in dict.fromkeys([*declared_metrics(), *evaluated]):
        if declared := metric.chart:
            chart = charts.setdefault(declared.name, Chart(*declared, metrics=[]))
            chart.metrics.append(metric)
    return [chart._replace(has_points=is_measured(run, chart)) for chart in charts.values()]


def is_measured(run: Run, chart: Chart) -> bool:
    return any(metric.name in run.metrics for metric in chart.metrics)


def chart_named(run: Run, name: str) -> Chart | None:
    return next((chart for chart in charts_of(run) if chart.name == name), None)


def read_chart(
    run: Run, chart: Chart, max_points: int, window: Window = WHOLE
) -> dict[str, list[Point]]:
    return {
        metric.name: read_series(run, metric.name, max_points, window) for metric in chart.metrics
    }


def figure(chart: Chart, series: Mapping[str, Sequence[Point]]) -> dict[str, Any]:
    """A Plotly figure as plain JSON: x = steps; the other axes ride along as custom data."""
    traces = [
        scatter(metric, chart.series_number(place), series[metric.name])
        for place, metric in enumerate(chart.metrics)
    ]
    return {"data": traces, "layout": layout(chart.info)}


def scatter(metric: RunMetric, number: int, points: Sequence[Point]) -> dict[str, Any]:
    """One metric as a line; the colour is a token, which the browser turns into a colour."""
    info, color = metric.info, f"var(--series-{number})"
    label = info.trace or info.label.lower()
    return {
        "type": "scatter",
        "name": label,
        "meta": {"metric": metric.name, "series": number},
        "x": [point.step for point in points],
        "y": [point.value for point in points],
        "customdata": [[point.epoch, point.tokens, point.time] for point in points],
        "mode": "lines+markers" if metric.is_sparse or len(points) == 1 else "lines",
        "line": {"color": color, "width": 1.8},
        "marker": {"color": color, "size": 6},
        "connectgaps": False,
        "hovertemplate": hover(info, label),
    }


def hover(info: MetricInfo, label: str) -> str:
    return f"%{{y:{D3_FORMATS[info.format] or '.3~g'}}} {info.unit}<extra>{label}</extra>"


def layout(info: MetricInfo) -> dict[str, Any]:
    """A Plotly layout whose y axis has the format and the bounds of a metric."""
    axis = {
        "gridcolor": "var(--grid)",
        "linecolor": "var(--line)",
        "zerolinecolor": "var(--grid)",
        "tickfont": {"color": "var(--ink-3)", "size": 12},
    }
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 48, "r": 8, "t": 8, "b": 28},
        "showlegend": False,
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--line-mid)",
            "font": {"color": "var(--ink)", "size": 12},
        },
        "uirevision": "kept",
        "xaxis": axis | {"showgrid": False, "nticks": 6, "tickformat": ",~g"},
        "yaxis": axis
        | {
            "nticks": 5,
            "tickformat": D3_FORMATS[info.format],
            "ticksuffix": "B" if info.format == "bytes" else "",
            "exponentformat": "e",
        }
        | bounds(info),
    }


def bounds(info: MetricInfo) -> dict[str, float]:
    """How far an axis reaches at most, with room for a marker that lies on a bound."""
    if info.bounds is None:
        return {}
    lowest, highest = info.bounds
    room = MARKER_ROOM * (highest - lowest)
    return {"minallowed": lowest - room, "maxallowed": highest + room}
