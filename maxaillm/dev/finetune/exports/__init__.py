"""Forms in which a tuned model leaves the house, one module each. This file is their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.components.registry import Component, Registry
from maxaillm.dev.finetune.errors import ConfigError, ExportError
from maxaillm.dev.finetune.exports.shared.facts import FEW_BITS, NO_MERGE, ModelFacts

if TYPE_CHECKING:
    from maxaillm.dev.finetune.exports.shared.facts import Rounding
    from maxaillm.dev.finetune.exports.shared.parity import Replay
    from maxaillm.dev.finetune.exports.shared.source import Trained


class Export(Component, ABC):
    """A form of export. The docstring of each says when to choose it."""

    tasks: ClassVar[frozenset[str]]
    model_types: ClassVar[frozenset[str] | None] = None
    """The architectures that the form can hold; None: all."""
    merges: ClassVar[bool] = True
    """Whether an adapter becomes part of the model that is written."""
    usage: ClassVar[str]
    """How the written files are loaded, for the card."""

    def refusal(self, facts: ModelFacts) -> str | None:
        """Why a model can't be exported in this form; None where it can."""
        if facts.task not in self.tasks:
            return f"{self.label} does not serve the task {facts.task}."
        if self.model_types is not None and facts.model_type not in self.model_types:
            known = ", ".join(sorted(self.model_types))
            return f"{self.label} can hold {known}; this is a {facts.model_type}."
        if "quantization_config" in facts.settings:
            return FEW_BITS
        if self.merges and facts.is_adapter and not facts.merges:
            return NO_MERGE
        return None

    @property
    def rounds(self) -> bool:
        """Whether the weights are in so few bits that the perplexity is measured beside the trained
        model's."""
        return False

    def place(self, name: str) -> str:
        """The folder inside an archive that its users' program expects, for a model so named."""
        return ""

    @abstractmethod
    def write(self, trained: Trained, folder: Path) -> Rounding:
        """Write the files into the empty `folder`; say what was rounded for it.

        Afterwards `trained.model` has the very weights that were written, rounding included.
        Raises ExportError where the model turns out not to fit after all.
        """

    @abstractmethod
    def reload(self, folder: Path, trained: Trained) -> Replay:
        """The export, opened the way its users will open it."""


def choose_export(name: str, options: Mapping[str, object]) -> Export:
    """The form `name` with options. Raises UnknownComponentError, or ConfigError with every
    mistake."""
    form = exports[name]
    try:
        return form.model_validate(dict(options))
    except ValidationError as error:
        raise ConfigError(problems_of(form, error)) from None


def refusals_of(facts: ModelFacts) -> dict[str, str]:
    """The forms that can't hold a model, by name, each with the reason."""
    found = ((name, choose_export(name, {}).refusal(facts)) for name in exports)
    return {name: reason for name, reason in found if reason}


def require_installed(*packages: str, label: str) -> None:
    """Raises ExportError where a library that a form needs is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ExportError(
            f"{label} needs {' and '.join(missing)}, which is not installed.",
            f"Install it: pip install {' '.join(missing)}",
        )


exports: Registry[Export] = Registry("export format", package=__name__)
