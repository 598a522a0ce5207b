"""Whether a run's data, model, task and method go together, before it is queued."""

from __future__ import annotations

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.fit import settled_task
from maxaillm.dev.finetune.formats import formats
from maxaillm.dev.finetune.model_folder import check_folder, find_folder


def require_fit(config: RunConfig, version: DatasetVersion, source: str) -> str | None:
    """The task that the run will have; None where the model is not on this machine yet.

    `source` is what the engine opens. Raises ConfigError with everything that does not fit.
    """
    try:
        folder = find_folder(source)
        settings = check_folder(folder) if folder else None
    except ModelError:
        return None  # the model's own check says what is wrong with it
    if settings is None:
        return None
    return settled_task(config, formats[version.format["name"]].gives, settings)
