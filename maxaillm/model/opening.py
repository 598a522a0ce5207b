"""Opens any saved model as what it says it is, so that callers need not know."""

from __future__ import annotations

import warnings
from pathlib import Path

from maxaillm.dev.finetune.config import Precision
from maxaillm.model.classifier import GapFiller, SequenceClassifier, TokenClassifier
from maxaillm.model.llm import MaxHuggingFaceLLM
from maxaillm.model.loaded import LoadedModel
from maxaillm.model.source import find_source

KINDS: tuple[type[LoadedModel], ...] = (
    MaxHuggingFaceLLM,
    SequenceClassifier,
    TokenClassifier,
    GapFiller,
)


def open_model(
    name: str | Path,
    base: str | Path | None = None,
    device: str = "auto",
    max_length: int = 512,
    precision: Precision = "auto",
    *,
    any_base: bool = False,
) -> LoadedModel:
    """The model `name` (see `LoadedModel`), ready for its task. Raises ModelError."""
    with warnings.catch_warnings(action="ignore"):  # the model itself says it
        card = find_source(name, base, any_base=any_base).card
    kind = next(kind for kind in KINDS if card.opens_as in kind.tasks)
    return kind(name, device, max_length, base=base, any_base=any_base, precision=precision)
