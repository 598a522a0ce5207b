"""Whole base: where a run is to tune an adapter further, the adapter merged with its base."""

from __future__ import annotations

import shutil
from pathlib import Path

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.exports import choose_export
from maxaillm.dev.finetune.exports.shared.export import export_model
from maxaillm.dev.finetune.hf import distributed
from maxaillm.dev.finetune.hf.loading import choose_device
from maxaillm.dev.finetune.methods import method_of_adapter
from maxaillm.dev.finetune.model_files.card import ADAPTER_CONFIG
from maxaillm.dev.finetune.model_files.folder import check_adapter, find_folder
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events.kinds import MergedEvent
from maxaillm.dev.finetune.run.torchrun import rank


def on_whole_base(config: RunConfig, attempt: Attempt) -> RunConfig:
    """The configuration with a whole model to tune, made in the attempt's folder where it names an
    adapter: what lies on the whole then learns what the adapter lacks, and the adapter's model is
    what it is compared with.

    Raises ModelError where the adapter can't be part of the weights, ExportError where the merged
    model does not say what the adapter says.
    """
    adapter = find_folder(config.model.name)
    if adapter is None or not (adapter / ADAPTER_CONFIG).is_file():
        return config
    require_mergeable(adapter)
    folder = attempt.folder.base
    distributed.join(choose_device())
    if rank() == 0:
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was given up
        export_model(choose_export("merged", {}), adapter, folder)
        attempt.emit(MergedEvent(adapter=adapter.name))
    distributed.wait()
    model = config.model.model_copy(update={"name": str(folder.resolve())})
    return config.model_copy(update={"model": model})


def require_mergeable(adapter: Path) -> None:
    """Raises ModelError."""
    method = method_of_adapter(check_adapter(adapter).get("peft_type"))
    if method is None or not method.merges:
        label = method.label if method else "its method"
        raise ModelError(
            f"{adapter.name} is an adapter that {label} made, which can't be merged with its "
            "base, so it can't be tuned again.",
            "Tune its base, or an adapter of a method that merges, such as LoRA.",
        )
