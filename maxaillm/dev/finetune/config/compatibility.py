"""Compatibility of a run: provider, data, model, task, method, loss and metrics. No libraries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from maxaillm.dev.finetune.components.problems import guess
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.applicability import Circumstances, unused_options
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.tasks import choose_task


def resolve_defaults(
    config: RunConfig, kind: type[Example], settings: Mapping[str, Any]
) -> RunConfig:
    """The configuration with its task and its metrics, where it leaves them open.

    `settings` is the model's `config.json`; empty where only the provider knows the model. Raises
    ConfigError with everything that does not go together.
    """
    task = task_for(config, kind, settings)
    problems = [
        *provider_problems(config, task),
        *data_problems(config, task, kind),
        *method_problems(config, task, str(settings.get("model_type", ""))),
        *measure_problems(config, task, kind),
        *unused_options(config, Circumstances(task, type(config.tuning), kind)),
    ]
    if problems:
        raise ConfigError(problems)
    suited = kind.tasks.get(task, ())
    names = config.evaluation.metrics or list(suited)
    evaluation = config.evaluation.model_copy(update={"metrics": names})
    return config.model_copy(update={"task": task, "evaluation": evaluation})


def task_for(config: RunConfig, kind: type[Example], settings: Mapping[str, Any]) -> str:
    """The task asked for, else the one of the provider's that data and model are for."""
    chosen = config.task or choose_task(kind, settings)
    if config.task or chosen in config.provider.tasks:
        return chosen
    return next((name for name in kind.tasks if name in config.provider.tasks), chosen)


def provider_problems(config: RunConfig, task: str) -> Iterator[Problem]:
    provider = config.provider
    if task not in provider.tasks:
        message = f"{provider.label} does not serve {task}."
        yield Problem("task", message, task, ", ".join(sorted(provider.tasks)))


def data_problems(config: RunConfig, task: str, kind: type[Example]) -> Iterator[Problem]:
    if task in kind.tasks or config.data.processor:
        return
    message = f"The data hold {kind.plural}, which {task} can't learn from."
    yield Problem("task", message, task, ", ".join(kind.tasks))


def refused_methods(config: RunConfig, task: str, model_type: str) -> dict[str, str]:
    """Why methods can't tune such a model for the task at the provider, by their names."""
    provider = config.provider
    if provider.methods is None:
        reasons = {name: cls.refusal(task, model_type) for name, cls in methods.items()}
    else:
        others = methods.keys() - provider.methods if provider.methods else ()
        reasons = {
            name: f"{provider.label} does not tune by {methods[name].label}." for name in others
        }
    return {name: reason for name, reason in reasons.items() if reason}


def method_problems(config: RunConfig, task: str, model_type: str) -> Iterator[Problem]:
    refused = refused_methods(config, task, model_type)
    if refusal := refused.get(config.tuning.name):
        others = (name for name in methods if name not in refused)
        yield Problem("tuning.name", refusal, config.tuning.name, ", ".join(others))
    bits, possible = config.model.quantization, config.tuning.quantizes
    if possible and bits not in {"none", *possible}:  # with none of them, no such option applies
        message = f"{config.tuning.label} can't tune a base held in {bits}."
        allowed = ", ".join(["none", *sorted(possible)])
        yield Problem("model.quantization", message, bits, allowed)


def measure_problems(config: RunConfig, task: str, kind: type[Example]) -> Iterator[Problem]:
    rows = kind if task in kind.tasks else None  # a processor makes of rows what it likes
    at = Circumstances(task, kind=rows)
    loss = config.training.loss
    if loss is not None and loss.name not in at.losses:
        served = task if task not in loss.tasks else f"{task} on {kind.plural}"
        message = f"{loss.label} does not serve {served}."
        yield Problem("training.loss.name", message, loss.name, ", ".join(at.losses))
    yield from unfit_metrics(config.evaluation.metrics, task, "evaluation.metrics", rows)


def known_metrics(names: Iterable[str], path: str) -> None:
    """Raises ConfigError for names that no metric has."""
    unknown = [name for name in names if name not in metrics]
    if unknown:
        message = f"There is no choice of this name.{guess(unknown[0], list(metrics))}"
        raise ConfigError([Problem(path, message, unknown[0], ", ".join(metrics))])


def unfit_metrics(
    names: Iterable[str], task: str, path: str, kind: type[Example] | None = None
) -> Iterator[Problem]:
    """A problem for each metric that does not judge a task on rows of a kind, if it is known.

    Raises UnknownComponentError.
    """
    serving = Circumstances(task, kind=kind).metrics
    for name in names:
        metric = metrics[name]
        if name not in serving:
            judged = f"{task} on {kind.plural}" if kind and task in metric.tasks else task
            message = f"{metric.label} does not judge {judged}."
            yield Problem(path, message, name, ", ".join(serving))
