"""The command `validate`: what a data file holds, and what a model would be shown of it."""

from __future__ import annotations

from typing import Any

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.readers.options import ReadOptions
from maxaillm.dev.finetune.errors import DataError, FineTuneError
from maxaillm.dev.finetune.model_files.folder import find_folder

SHOWN_ROWS = 1_000
"""So many rows are shown to the model."""


def validation_facts(config: RunConfig, options: ReadOptions) -> dict[str, Any]:
    """The report on the training file, its findings, and what the model would make of some rows.

    Raises DataError where no file is named.
    """
    from maxaillm.dev.finetune.data.reading.recognition import usual_format
    from maxaillm.dev.finetune.data.reading.validate import validate

    file = config.data.train_file
    if not file:
        raise DataError("No training file is given.", "Set data.train_file.")
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
    if find_folder(config.model.name) is None or not config.provider.local_models:
        return None
    from maxaillm.dev.finetune.hf.token_view import TokenView

    try:
        found = TokenView(config).summary(SHOWN_ROWS)
    except FineTuneError as error:
        return {"error": error.as_json()}
    told = ("rows", "cut_rows", "cut_tokens", "dropped", "hints", "in_texts", "refusal", "every")
    return {name: found[name] for name in told}
