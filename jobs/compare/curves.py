"""Curves of compared runs: a chart for each metric, in it a line for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jobs.models import Run
from jobs.run_page.charts import Chart, charts_of, hover, is_measured, layout, scatter
from jobs.run_page.series import ALL_POINTS, WHOLE, Point, Window, read_series

COLORS = 4
MOST_POINTS, FEWEST_POINTS = 4000, 500
"""Of all lines together, and of each: what a screen can show and a browser draws at once."""
DASHES = ("solid", "dash", "dot")


def compare_charts(runs: Sequence[Run]) -> list[Chart]:
    """The charts with a metric that one of the runs has measured, the validation loss first."""
    found: dict[str, Chart] = {}
    for run in runs:
        for chart in charts_of(run):
            for metric in chart.metrics:
                alone = Chart(metric.name, metric.info.label, [metric])
                if is_measured(run, alone):
                    found.setdefault(metric.name, alone)
    return sorted(found.values(), key=lambda chart: chart.name != "eval_loss")


def look(place: int) -> tuple[int, str]:
    """Colour and dash of a run: no two of twelve have both the same."""
    return place % COLORS + 1, DASHES[place % len(DASHES)]


def figure(chart: Chart, runs: Sequence[Run], window: Window = WHOLE) -> dict[str, Any]:
    """A Plotly figure as plain JSON, as the page of a run has them."""
    (metric,) = chart.metrics
    each = max(FEWEST_POINTS, MOST_POINTS // max(1, len(runs)))
    traces = []
    for place, run in enumerate(runs):
        color, dash = look(place)
        trace = scatter(metric, color, read_series(run, metric.name, each, window))
        trace["line"]["dash"] = dash
        start = run.started.timestamp() if run.started else None
        trace["meta"] = {"metric": f"{metric.name} {run.pk}", "series": color, "start": start}
        named = {"name": str(run.pk), "hovertemplate": hover(metric.info, str(run.pk))}
        traces.append(trace | named)
    return {"data": traces, "layout": layout(chart.info)}


def points_of(chart: Chart, runs: Sequence[Run]) -> Iterator[tuple[int, Point]]:
    """Every point of every run, unthinned."""
    (metric,) = chart.metrics
    for run in runs:
        for point in read_series(run, metric.name, ALL_POINTS):
            yield run.pk, point
