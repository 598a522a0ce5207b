"""Fitting: what of a form goes with the task, the method and the data that were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

from jobs.run_form.pickers import short_count
from jobs.services.resolve import Settings
from maxaillm.dev.finetune.config.applicability import Circumstances
from maxaillm.dev.finetune.config.recommended import learning_rate_for, parameters_of
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.methods import TuneMethod, methods
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.tasks import TASKS
from maxft_site.web.schema_forms import Option, SchemaForm
from maxft_site.web.schema_forms.fields import ChoicesField


def fit(form: SchemaForm, at: Circumstances | None, *, even_if_set: bool) -> list[str]:
    """Leave out of a form of RunConfig what has no use. What was asked for in vain is named, and
    stays unless `even_if_set`."""
    if at is None:
        return []
    odd = form.leave_out(lambda info: not at.applies(info), even_if_set=even_if_set)
    for choice in form.parts["training"].choices():
        odd += choice.narrow(at.losses, even_if_set=even_if_set)
    evaluation = cast(SchemaForm, form.parts["evaluation"])
    option = cast(ChoicesField, evaluation.option("metrics"))
    chosen = evaluation["metrics"].value() or []
    unfit = [name for name in chosen if name in metrics and name not in at.metrics]
    option.narrow(at.metrics, [] if even_if_set else unfit)
    if at.kind:
        usual = at.kind.tasks[at.task]
        option.recommended = ", ".join(metrics[name].label for name in usual)
    return odd + [metrics[name].label for name in unfit]


class Recommended(NamedTuple):
    """A learning rate, and what it is recommended for."""

    rate: float
    words: str


def recommended(method: type[TuneMethod], model: str | None, task: str | None) -> Recommended:
    """The learning rate for a method and a task, with a model that may be looked into or None."""
    parameters = None if model is None else parameters_of(model)
    size = f" and {short_count(parameters)} parameters" if parameters else ""
    rate = learning_rate_for(method.recommended_learning_rate, parameters, task)
    return Recommended(rate, f"{method.label}{size}")


def refused_methods(at: Circumstances | None, settings: Settings | None) -> Mapping[str, str]:
    """Why methods can't tune a model for a task, by their names."""
    if at is None or settings is None:
        return {}
    family = str(settings.get("model_type", ""))
    reasons = {name: method.refusal(at.task, family) for name, method in methods.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def task_options(kind: type[Example] | None, chosen: str, at: Circumstances | None) -> list[Option]:
    """What rows of a kind can teach, and what is chosen; first, that data and model decide."""
    auto = TASKS[at.task].label if at else "what they are for"
    fitting = [task_option(name) for name in TASKS if teaches(kind, name) or name == chosen]
    return [Option("", "By data and model", "", fact=f"Now: {auto}"), *fitting]


def other_tasks(kind: type[Example] | None, chosen: str) -> list[Option]:
    """What needs rows of another kind."""
    words = f"Not from {kind.plural}." if kind else ""
    return [
        task_option(name)._replace(fact=words, disabled=True)
        for name in TASKS
        if not teaches(kind, name) and name != chosen
    ]


def teaches(kind: type[Example] | None, task: str) -> bool:
    return kind is None or task in kind.tasks


def task_option(name: str) -> Option:
    return Option(name, TASKS[name].label, TASKS[name].help)
