"""The run page's charts: which there are, and their Plotly figures, coloured by token names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobs.models import Run
from jobs.run_page.series import Point, read_series
from maxaillm.dev.finetune.metrics import Metric, metrics


class Trace(NamedTuple):
    """One metric in a chart. `color` is a token, which the browser turns into a colour."""

    metric: str
    label: str
    color: str = "var(--series-1)"
    marks: bool = False


class Chart(NamedTuple):
    """Metrics that are drawn together."""

    name: str
    title: str
    traces: tuple[Trace, ...]
    unit: str = ""
    format: str = ".4~g"
    """How values are written, in d3's language; empty: as Plotly likes."""


LOSS = Chart(
    "loss",
    "Loss",
    (
        Trace("loss", "training"),
        Trace("eval_loss", "validation", color="var(--series-2)", marks=True),
    ),
    format=".4~f",
)
CHARTS = (
    LOSS,
    Chart(
        "learning_rate",
        "Learning rate",
        (Trace("learning_rate", "learning rate"),),
        format="",
    ),
    Chart("grad_norm", "Gradient norm", (Trace("grad_norm", "gradient norm"),)),
    Chart(
        "tokens_per_second",
        "Throughput",
        (Trace("tokens_per_second", "throughput"),),
        unit="tokens/s",
        format=",.0f",
    ),
    Chart("memory_bytes", "Memory", (Trace("memory_bytes", "memory"),), unit="B", format=".3~s"),
)


def charts_of(run: Run) -> list[Chart]:
    """The charts of every run, then one for each metric that this one is judged by."""
    chosen = run.config.get("evaluation", {}).get("metrics", [])
    judged = [judged_chart(name, metrics[name]) for name in chosen if name in metrics]
    return [*CHARTS, *judged]


def judged_chart(name: str, metric: type[Metric]) -> Chart:
    trace = Trace(name, "validation", "var(--series-2)", marks=True)
    return Chart(name, metric.label, (trace,), format=".0%" if metric.is_share else ".4~g")


def chart_named(run: Run, name: str) -> Chart | None:
    return next((chart for chart in charts_of(run) if chart.name == name), None)


def read_chart(run: Run, chart: Chart, max_points: int) -> dict[str, list[Point]]:
    return {trace.metric: read_series(run, trace.metric, max_points) for trace in chart.traces}


def figure(chart: Chart, series: Mapping[str, Sequence[Point]]) -> dict[str, Any]:
    """A Plotly figure as plain JSON: x = steps; the other axes ride along as custom data."""
    import plotly.graph_objects as go

    traces = [scatter(chart, trace, series[trace.metric]) for trace in chart.traces]
    plain: dict[str, Any] = go.Figure(data=traces, layout=layout(chart)).to_plotly_json()
    return plain


def scatter(chart: Chart, trace: Trace, points: Sequence[Point]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name=trace.label,
        meta={"metric": trace.metric},
        x=[point.step for point in points],
        y=[point.value for point in points],
        customdata=[[point.epoch, point.tokens, point.time] for point in points],
        mode="lines+markers" if trace.marks or len(points) == 1 else "lines",
        line={"color": trace.color, "width": 1.8},
        marker={"color": trace.color, "size": 6},
        connectgaps=False,
        hovertemplate=f"%{{y:{chart.format or '.3~g'}}} {chart.unit}<extra>{trace.label}</extra>",
    )


def layout(chart: Chart) -> dict[str, Any]:
    axis = {
        "gridcolor": "var(--grid)",
        "linecolor": "var(--line)",
        "zerolinecolor": "var(--grid)",
        "tickfont": {"color": "var(--ink-3)", "size": 12},
    }
    return {
        "template": "none",
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
        "yaxis": axis | {"nticks": 5, "tickformat": chart.format, "exponentformat": "e"},
    }
