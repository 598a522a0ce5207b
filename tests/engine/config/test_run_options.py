"""A run option is one field of the configuration: trainer, form and schema follow it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from django.http import QueryDict
from pydantic import Field

from maxaillm.dev.finetune.components.sections import ADVANCED
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.legacy import translate
from maxaillm.dev.finetune.config.training import TrainingSection
from maxaillm.dev.finetune.errors import ConfigError
from maxaillm.dev.finetune.hf.training.arguments import KNOWN, OURS, training_arguments
from maxft_site.web.schema_forms import form_class
from maxft_site.web.schema_forms.info import bare_type, bounds_of


class MoreTraining(TrainingSection):
    adam_beta1: float = Field(
        0.9,
        ge=0,
        lt=1,
        title="Beta 1",
        description="How much of the earlier gradients Adam keeps.",
        json_schema_extra=ADVANCED,
    )


class MoreConfig(RunConfig):
    training: MoreTraining = MoreTraining()


def arguments_of(config: RunConfig, folder: Path) -> Any:
    return training_arguments(config, folder, "fp32", on_cpu=True)


def config_with(**training: Any) -> RunConfig:
    return MoreConfig.parse({"model": {"name": "starter/chat"}, "training": training})


def test_a_new_field_arrives_at_the_trainer(tmp_path: Path) -> None:
    assert arguments_of(config_with(adam_beta1=0.5), tmp_path).adam_beta1 == 0.5
    assert arguments_of(config_with(), tmp_path).adam_beta1 == 0.9


def test_a_new_field_is_in_form_and_schema() -> None:
    form = form_class(MoreConfig)(QueryDict("model-name=m&training-adam_beta1=0.5"))
    assert form.is_valid(), form.errors
    assert form.value.training.adam_beta1 == 0.5
    wrong = form_class(MoreConfig)(QueryDict("model-name=m&training-adam_beta1=2"))
    assert not wrong.is_valid()
    assert "adam_beta1" in wrong.parts["training"].errors
    described = MoreConfig.model_json_schema()["$defs"]["MoreTraining"]["properties"]["adam_beta1"]
    assert (described["title"], described["exclusiveMaximum"]) == ("Beta 1", 1)
    with pytest.raises(ConfigError, match="adam_beta1"):
        config_with(adam_beta1=2)


PASSED_ON = sorted(KNOWN & TrainingSection.model_fields.keys() - OURS.keys() - {"deepspeed"})


def another_value(name: str) -> Any:
    """One that the option allows, other than its default."""
    info = TrainingSection.model_fields[name]
    kind, bounds = bare_type(info.annotation), bounds_of(info)
    if get_origin(kind) is Literal:
        return next(value for value in get_args(kind) if value != info.default)
    if kind is bool:
        return not info.default
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    assert low is not None
    assert high is not None
    return kind((low + high) / 2)


@pytest.mark.parametrize("name", PASSED_ON)
def test_an_option_of_the_trainer_arrives_as_it_is(name: str, tmp_path: Path) -> None:
    value = another_value(name)
    assert getattr(arguments_of(config_with(**{name: value}), tmp_path), name) == value


def test_what_the_trainer_does_not_do_itself_stays_off(tmp_path: Path) -> None:
    asked = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}
    arguments = arguments_of(config_with(**asked, fsdp="full_shard"), tmp_path)
    for name in ("eval_strategy", "save_strategy", "logging_strategy"):
        assert getattr(arguments, name) == "no"
    assert not arguments.load_best_model_at_end
    assert not arguments.fsdp


def test_the_table_names_arguments_that_there_are() -> None:
    assert OURS.keys() <= KNOWN


def test_loose_arguments_may_name_every_option_of_training() -> None:
    """The dict of the specification: what a run may be told, `training_args` may say."""
    shared = KNOWN & TrainingSection.model_fields.keys()
    defaults = {name: TrainingSection.model_fields[name].default for name in shared}
    found = translate({"model_name": "starter/chat", "training_args": defaults}).config
    assert found.training == TrainingSection()
