"""Presets: values for some options that go together, for what one wants of a run.

They only set fields; what they leave out is as it was. Fields of other presets go back to their
defaults, so that one preset takes the place of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.recommended import MOST_EPOCHS
from maxaillm.dev.finetune.config.training import TrainingSection

QUICK_STEPS = 60
"""About as many as the sample needs to show whether anything is learned."""
LONGER = MOST_EPOCHS
"""As often as any file is seen by default; early stopping ends the epochs that don't help."""
PATIENCE = 3
DEFAULT = TrainingSection()
EFFECTIVE_BATCH = DEFAULT.per_device_train_batch_size * DEFAULT.gradient_accumulation_steps


class Preset(NamedTuple):
    name: str
    label: str
    help: str
    sets: Mapping[str, Any]
    """Options by their paths."""

    @property
    def changes(self) -> dict[str, Any]:
        """A value for each option that any preset sets."""
        return {path: self.sets.get(path, default_of(path)) for path in FIELDS}

    @property
    def overrides(self) -> list[str]:
        """As they are typed on a command line."""
        return [f"{path}={str(value).lower()}" for path, value in self.sets.items()]


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("balanced", "Balanced", "As recommended. Good for most data.", {}),
        Preset(
            "quick_look",
            "Quick look",
            "A few steps: is the data worth it?",
            {"training.max_steps": QUICK_STEPS},
        ),
        Preset(
            "best_quality",
            "Best quality",
            "Longer, until held-out rows gain no more; the best step is kept.",
            {
                "training.num_train_epochs": LONGER,
                "training.early_stopping_patience": PATIENCE,
                "training.load_best_model_at_end": True,
            },
        ),
        Preset(
            "least_memory",
            "Least memory",
            "One sequence at a time and activations computed again: slower, the same batch.",
            {
                "training.per_device_train_batch_size": 1,
                "training.gradient_accumulation_steps": EFFECTIVE_BATCH,
                "model.gradient_checkpointing": True,
            },
        ),
    )
}
FIELDS = tuple(dict.fromkeys(path for preset in PRESETS.values() for path in preset.sets))
"""The options that presets set."""


def default_of(path: str) -> Any:
    section: type[BaseModel] = RunConfig
    *parts, option = path.split(".")
    for part in parts:
        inner = section.model_fields[part].annotation
        assert isinstance(inner, type)
        section = inner
    return section.model_fields[option].get_default(call_default_factory=True)
