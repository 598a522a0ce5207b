"""Tuning a run's model further on other data: a new run on it, whatever it was tuned on before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from datasets_app.models import Dataset
from datasets_app.selectors import ready_versions
from jobs.models import Run
from jobs.services.resolve import kind_of
from jobs.services.runs import create_run, illegal
from maxaillm.dev.finetune.config import RunConfig

OF_THE_OLD_DATA = {"version": None, "validation_file": None, "test_file": None}


def continue_run(
    *, run: Run, by: User, dataset: Dataset, changes: Mapping[str, Any] | None = None
) -> Run:
    """A new run with the options of `run` and its model as the base, on `dataset`. An adapter is
    merged with its base first; whole weights are tuned as they are.

    Raises IllegalMoveError where there is no model, and what `create_run` raises.
    """
    if run.kept_model is None:
        raise illegal(run, "be continued on other data", "It has no model to start from.")
    version = ready_versions(by).filter(dataset=dataset).order_by("-number").first()
    config: dict[str, Any] = {**run.config, "name": ""}
    if version and run.dataset and kind_of(version) is not kind_of(run.dataset):
        # what was settled by the old data is settled anew
        config["task"] = None
        config["evaluation"] = {**config["evaluation"], "metrics": []}
        config["training"] = {**config["training"], "loss": None}
    config["data"] = {**config["data"], **OF_THE_OLD_DATA, "dataset": dataset.pk}
    config["model"] = {**config["model"], "name": run.model.name}
    for section, options in (changes or {}).items():
        merged = isinstance(options, Mapping) and isinstance(config.get(section), Mapping)
        config[section] = {**config[section], **options} if merged else options
    return create_run(owner=by, config=RunConfig.parse(config), copy_of=run)
