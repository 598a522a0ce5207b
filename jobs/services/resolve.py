"""Whether a run's data, model, task and method go together, before it is queued."""

from __future__ import annotations

from typing import Any

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.compatibility import resolve_defaults
from maxaillm.dev.finetune.data.formats import Example, formats
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.model_files.folder import check_folder, find_folder
from maxaillm.dev.finetune.tasks import choose_task


def settle(config: RunConfig, version: DatasetVersion, source: str) -> RunConfig:
    """The run with its task and metrics, unless the model is not on this machine yet.

    `source` is what the engine opens. Raises ConfigError with everything that does not fit.
    """
    settings, kind = settings_of(source), kind_of(version)
    return config if settings is None or kind is None else resolve_defaults(config, kind, settings)


def refused_methods(config: RunConfig, version: DatasetVersion, source: str) -> dict[str, str]:
    """Why methods can't tune this model on these data, by their names."""
    settings, kind = settings_of(source), kind_of(version)
    if settings is None or kind is None:
        return {}
    task = config.task or choose_task(kind, settings)
    model_type = str(settings.get("model_type", ""))
    refusals = {name: cls.refusal(task, model_type) for name, cls in methods.items()}
    return {name: reason for name, reason in refusals.items() if reason}


def settings_of(source: str) -> dict[str, Any] | None:
    """The `config.json` of a model, where it is here and whole."""
    try:
        folder = find_folder(source)
        return check_folder(folder) if folder else None
    except ModelError:
        return None  # the model's own check says what is wrong with it


def kind_of(version: DatasetVersion) -> type[Example] | None:
    """What the rows of a dataset are, once that is known."""
    return formats[version.format["name"]].gives if version.format else None
