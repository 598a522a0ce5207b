"""Whether a run's data, model, task and method go together, before it is queued."""

from __future__ import annotations

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.fit import settled
from maxaillm.dev.finetune.formats import formats
from maxaillm.dev.finetune.model_folder import check_folder, find_folder


def settle(config: RunConfig, version: DatasetVersion, source: str) -> RunConfig:
    """The run with its task and metrics, unless the model is not on this machine yet.

    `source` is what the engine opens. Raises ConfigError with everything that does not fit.
    """
    try:
        folder = find_folder(source)
        settings = check_folder(folder) if folder else None
    except ModelError:
        return config  # the model's own check says what is wrong with it
    if settings is None or version.format is None:
        return config
    return settled(config, formats[version.format["name"]].gives, settings)
