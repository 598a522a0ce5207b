"""Applicability: which options, metrics and losses a run has a use for.

Each says for itself whom it serves: an option by `applies_to` (`components/sections.py`), a metric
and a loss by its `tasks` and by the rows that it judges or learns from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from maxaillm.dev.finetune.components.problems import json_value
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import Problem
from maxaillm.dev.finetune.losses import losses
from maxaillm.dev.finetune.methods import TuneMethod
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.tasks import TASKS

IDLE: tuple[object, ...] = (None, False, [], {}, "")
"""Values that ask for nothing, so that they are right wherever an option does not apply."""


class Circumstances(NamedTuple):
    """What of a run decides which options it has a use for."""

    task: str
    method: type[TuneMethod] | None = None
    """None: not known, and nothing is refused for it; so is the kind."""
    kind: type[Example] | None = None
    """What the rows are."""

    @property
    def metrics(self) -> list[str]:
        """The metrics that judge such a run."""
        return [
            name
            for name, metric in metrics.items()
            if self.task in metric.tasks and (self.kind is None or metric.judges(self.kind))
        ]

    @property
    def losses(self) -> list[str]:
        """The losses that can train it."""
        return [
            name
            for name, loss in losses.items()
            if self.task in loss.tasks and (self.kind is None or loss.learns_from(self.kind))
        ]

    def applies(self, info: FieldInfo) -> bool:
        """Whether an option has a use here."""
        return not (self.refusal(info) or self.lacks(info))

    def refusal(self, info: FieldInfo) -> str:
        """Why an option can't be asked for, as the rest of its sentence; empty: it can."""
        rule = rule_of(info)
        if self.task not in (rule.get("tasks") or TASKS):
            return f"does not apply to the task {TASKS[self.task].label}"
        trait = rule.get("method")
        if trait and self.method and not getattr(self.method, trait):
            return f"does not apply to {self.method.label}"
        return ""

    def lacks(self, info: FieldInfo) -> bool:
        """Whether rows of this kind leave an option without effect. It may be set all the same:
        it says what happens anyway, and the next dataset may have a use for it."""
        trait = rule_of(info).get("data")
        return bool(trait and self.kind and not getattr(self.kind, trait))


def rule_of(info: FieldInfo) -> Mapping[str, Any]:
    extra = info.json_schema_extra
    rule = extra.get("applies_to") if isinstance(extra, dict) else None
    return rule if isinstance(rule, dict) else {}


def unused_options(section: BaseModel, at: Circumstances, path: str = "") -> Iterator[Problem]:
    """A problem for each option that asks for something that would not happen."""
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from unused_options(value, at, f"{path}{name}.")
            continue
        reason = at.refusal(info)
        if reason and value not in IDLE and value != info.get_default():
            message = f"{info.title or name} {reason}."
            yield Problem(f"{path}{name}", message, json_value(value), "leave it out")
