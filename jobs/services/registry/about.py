"""What the site knows of a model, for its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, JsonValue

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.estimate.about import license_of
from maxaillm.dev.finetune.exports.shared.about import About, Score, TrainedOn
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.model_files.folder import find_folder
from maxaillm.dev.finetune.run.events.run_metrics import metric_info

NOT_OPTIONS = frozenset({"model.name", "data.dataset", "data.version"})
"""What the card says in another place."""


def about_of(model: LanguageModel) -> About:
    """What its run, its data and its ancestors tell; what they don't is left out."""
    run, card = model.run, model.card
    return About(
        name=model.short_name,
        task=card.task if card else "",
        base=model.base.short_name if model.base else None,
        license=license_in(model),
        lineage=[*(one.short_name for one in model.ancestors), *parts_of(model), model.short_name],
        datasets=[trained_on(run.dataset)] if run and run.dataset else [],
        scores=list(scores_in(model.metrics)),
        verdict=str((run.verdict or {}).get("explanation", "")) if run else "",
        configuration=options_of(run) if run else merge_of(model),
        limits=list(limits_of(model)),
        environment=environment_of(run) if run else {},
    )


def license_in(model: LanguageModel) -> str:
    """The licence of the weights that it stands on, as their own card names it."""
    try:
        folder = find_folder(model.root.source)
    except FineTuneError:
        return ""
    return license_of(folder).lower() if folder else ""


def trained_on(version: DatasetVersion) -> TrainedOn:
    return TrainedOn(
        name=version.dataset.name,
        version=version.number,
        rows=version.rows,
        sha256=version.sha256 or version.rows_sha256,
        license=str((version.origin or {}).get("license", "")),
    )


def scores_in(measured: dict[str, Any]) -> Iterator[Score]:
    for name, value in measured.items():
        is_score = name in metrics or name == "eval_loss"
        if not is_score or not isinstance(value, int | float):
            continue
        low, high = measured.get(f"{name}_interval") or (None, None)
        label = metric_info(name).label
        yield Score(metric=name, label=label, value=value, low=low, high=high)


def parts_of(model: LanguageModel) -> list[str]:
    """The adapters that it was merged of, with their weights."""
    parts = (model.made_by or {}).get("parts", [])
    return [f"{part['weight']} × {part['name']}" for part in parts]


def merge_of(model: LanguageModel) -> dict[str, JsonValue]:
    """How it was merged, if it was."""
    made = model.made_by or {}
    told = {f"merge.{name}": made.get(name) for name in ("method", "density")}
    return {name: value for name, value in told.items() if value is not None}


def options_of(run: Run) -> dict[str, JsonValue]:
    """The method, and each option that differs from its default."""
    try:
        config = run.parsed_config
    except FineTuneError:  # of an older version
        return {}
    found: dict[str, JsonValue] = {"tuning.name": config.tuning.name}
    for name in RunConfig.model_fields:
        section = getattr(config, name)
        if isinstance(section, BaseModel):
            found |= dict(changed_in(name, section))
    return {path: value for path, value in found.items() if path not in NOT_OPTIONS}


def changed_in(path: str, section: BaseModel) -> Iterator[tuple[str, JsonValue]]:
    dumped = section.model_dump(mode="json")
    for name, info in type(section).model_fields.items():
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        if getattr(section, name) not in (default, None):
            yield f"{path}.{name}", dumped[name]


def limits_of(model: LanguageModel) -> Iterator[str]:
    """What one should know before one relies on it."""
    run = model.run
    if run is None:
        return
    length = run.config.get("data", {}).get("max_length")
    if length:
        yield f"It was tuned on rows of at most {length:,} tokens."
    if run.dataset:
        yield f"It was tuned on {run.dataset.rows:,} rows; what is not like them was not measured."
    if not run.is_promising:
        yield "Its run did not show that it is better than its base."
    if not model.metrics:
        yield "It was not measured on held-out rows."


def environment_of(run: Run) -> dict[str, str]:
    """What the trainer said of the machine and of its libraries."""
    told = {name: value for phase in run.phases for name, value in phase.items()}
    return {
        name.replace("_", " "): value
        for name, value in told.items()
        if isinstance(value, str) and name != "name"
    }
