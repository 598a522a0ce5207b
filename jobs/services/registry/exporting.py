"""Which forms a model can leave in, told by its files alone: for pages, and before training."""

from __future__ import annotations

from pathlib import Path

from jobs.models import LanguageModel
from jobs.services.resolve import Resolved
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.exports import refusals_of
from maxaillm.dev.finetune.exports.shared.facts import ModelFacts
from maxaillm.dev.finetune.methods import method_of_adapter
from maxaillm.dev.finetune.model_files.card import ADAPTER_CONFIG
from maxaillm.dev.finetune.model_files.folder import find_folder, read_json


def refused_forms(model: LanguageModel) -> dict[str, str]:
    """The forms that can't hold a model, each with the reason. Of one that is not here yet nothing
    is known before it is fetched."""
    card, folder = model.card, folder_of(model.root.source)
    if card is None or folder is None:
        return {}
    is_adapter = model.kind == LanguageModel.Kind.ADAPTER
    return refused(card.task, folder, is_adapter=is_adapter, merges=merges(model))


def merges(model: LanguageModel) -> bool:
    """Whether its adapter, if it is one, can become part of its base, by what the adapter says."""
    own = folder_of(model.source)
    if own is None or not (own / ADAPTER_CONFIG).is_file():
        return True
    method = method_of_adapter(read_json(own / ADAPTER_CONFIG).get("peft_type"))
    return method is None or method.merges


def refused_after(resolved: Resolved) -> dict[str, str]:
    """The same of what a run would make."""
    config, folder = resolved.config, folder_of(resolved.base)
    if folder is None or config.task is None:
        return {}
    method = config.tuning
    found = refused(config.task, folder, is_adapter=method.keeps_base, merges=method.merges)
    if not method.keeps_base:
        found.pop("adapter", None)  # which nobody expects of it
    return found


def refused(task: str, folder: Path, *, is_adapter: bool, merges: bool) -> dict[str, str]:
    try:
        settings = read_json(folder / "config.json")
    except FineTuneError:
        return {}
    return refusals_of(ModelFacts(task, settings, is_adapter, merges, folder / "tokenizer.json"))


def folder_of(source: str) -> Path | None:
    try:
        return find_folder(source)
    except FineTuneError:
        return None
