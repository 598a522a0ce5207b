"""The command `validate`: what a data file holds, and what a model would be shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.files import apply_override, holds_config, read_config
from maxaillm.dev.finetune.data.readers.options import ReadOptions
from maxaillm.dev.finetune.errors import DataError, FineTuneError
from maxaillm.dev.finetune.model_files.folder import find_folder

NO_MODEL = "no-model-given"
"""Of a data file that is looked at without a configuration."""
SHOWN_ROWS = 1_000
"""So many rows are shown to the model."""


def config_asked(path: Path, overrides: Sequence[str]) -> RunConfig:
    """The configuration at `path`; where that is a data file, a run of it. Raises ConfigError."""
    if holds_config(path):
        return read_config(path, overrides)
    data: dict[str, Any] = {"data": {"train_file": str(path)}, "model": {"name": NO_MODEL}}
    for override in overrides:
        apply_override(data, override)
    return RunConfig.parse(data)


def read_as(config: RunConfig, said: ReadOptions) -> RunConfig:
    """The configuration with what is `said` besides of how its files are written."""
    reading = config.data.reading.model_copy(update=said.given)
    return config.model_copy(update={"data": config.data.model_copy(update={"reading": reading})})


def validation_facts(config: RunConfig) -> dict[str, Any]:
    """The report on the training file, its findings, and what the model would make of some rows.

    Raises DataError where no file is named.
    """
    from maxaillm.dev.finetune.data.reading.recognition import usual_format
    from maxaillm.dev.finetune.data.reading.validate import validate

    file, options = config.data.train_file, config.data.reading
    if not file:
        hint = "Type validate data.jsonl, or data.train_file=data.jsonl after the configuration."
        raise DataError("The configuration names no training file.", hint)
    findings: list[dict[str, Any]] = []
    report = validate(
        file,
        usual_format(file, options),
        options=options,
        on_finding=lambda found: findings.append(found.model_dump()),
    )
    facts = report.model_dump(mode="json") | {"findings": findings}
    if report.status == "ready":
        facts["in_the_model"] = what_the_model_sees(config)
    return facts


def what_the_model_sees(config: RunConfig) -> dict[str, Any] | None:
    """What a run would cut or leave out of some rows, and why; None of a model that is not here."""
    if config.model.name == NO_MODEL:
        return None
    if find_folder(config.model.name) is None or not config.provider.local_models:
        return None
    from maxaillm.dev.finetune.hf.token_view import TokenView

    try:
        found = TokenView(config).summary(SHOWN_ROWS)
    except FineTuneError as error:
        return {"error": error.as_json()}
    told = ("rows", "cut_rows", "cut_tokens", "dropped", "hints", "in_texts", "refusal", "every")
    return {name: found[name] for name in told}
