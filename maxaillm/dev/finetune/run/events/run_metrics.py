"""Metrics of a run: those that kinds of events declare, and the registered evaluation metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from maxaillm.dev.finetune.metrics import Metric, metrics
from maxaillm.dev.finetune.run.events.kinds import EvalEvent
from maxaillm.dev.finetune.run.events.metric_info import Chart, MetricInfo
from maxaillm.dev.finetune.run.events.payload import KINDS, Measurement, payload_class


class RunMetric(NamedTuple):
    """A metric by its name, the kind of event that carries it, and what describes it."""

    name: str
    kind: str
    info: MetricInfo

    @property
    def is_sparse(self) -> bool:
        """Whether it is measured now and then, and not with every step that is logged."""
        cls = payload_class(self.kind)
        return issubclass(cls, Measurement) and cls.is_sparse

    @property
    def chart(self) -> Chart | None:
        own = Chart(self.name, self.info.label)
        return own if self.info.chart == "own" else self.info.chart


def declared_metrics() -> Iterator[RunMetric]:
    """The metrics of every run, in order of declaration."""
    for kind, cls in KINDS.items():
        for name, info in cls.metric_infos().items():
            yield RunMetric(name, kind, info)


def find_metric(name: str) -> RunMetric | None:
    """The metric of a name; None where neither an event declares it nor it is registered."""
    found = next((metric for metric in declared_metrics() if metric.name == name), None)
    if found or name not in metrics:
        return found
    return RunMetric(name, EvalEvent.kind, info_of(metrics[name]))


def info_of(metric: type[Metric]) -> MetricInfo:
    """What a registered metric declares."""
    return MetricInfo(
        metric.label,
        format="percent" if metric.is_share else "number",
        better="higher" if metric.higher_is_better else "lower",
        chart="own",
        trace="validation",
        bounds=(0, 1) if metric.is_share else None,
    )


def metric_info(name: str) -> MetricInfo:
    """What describes a metric; one that is unknown here is called as it is named."""
    found = find_metric(name)
    return found.info if found else MetricInfo(name.replace("_", " ").capitalize())
