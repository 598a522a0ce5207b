"""Curves of compared runs: a chart for each metric, in it a line for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jobs.models import Run
from jobs.run_page.charts import Chart, charts_of, is_measured, layout, scatter
from jobs.run_page.series import MAX_POINTS, Point, read_series

COLORS = 4
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


def figure(chart: Chart, runs: Sequence[Run]) -> dict[str, Any]:
    """A Plotly figure as plain JSON, as the page of a run has them."""
    import plotly.graph_objects as go

    (metric,) = chart.metrics
    traces = []
    for place, run in enumerate(runs):
        points = read_series(run, metric.name, MAX_POINTS)
        color, dash = look(place)
        trace = scatter(metric, color, points)
        trace.line.dash = dash
        start = run.started.timestamp() if run.started else None
        trace.meta = {"metric": f"{metric.name} {run.pk}", "series": color, "start": start}
        trace.name = str(run.pk)
        trace.hovertemplate = trace.hovertemplate.replace(
            f"<extra>{metric.info.trace or metric.info.label.lower()}<", f"<extra>{run.pk}<"
        )
        traces.append(trace)
    plain: dict[str, Any] = go.Figure(data=traces, layout=layout(chart.info)).to_plotly_json()
    return plain


def points_of(chart: Chart, runs: Sequence[Run]) -> Iterator[tuple[int, Point]]:
    """Every point of every run, unthinned."""
    (metric,) = chart.metrics
    for run in runs:
        for point in read_series(run, metric.name, 10_000_000):
            yield run.pk, point
