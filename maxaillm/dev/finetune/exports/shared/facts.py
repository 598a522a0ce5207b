"""What is known of a model before it is exported, and what rounding its weights may cost."""

from __future__ import annotations

from typing import NamedTuple


class ModelFacts(NamedTuple):
    """What tells whether a model can be exported in a form, before any of it is loaded."""

    task: str
    model_type: str
    """The architecture's name in `config.json`, such as `llama`."""
    is_adapter: bool
    merges: bool = True
    """Whether the adapter can become part of its base's weights."""


class Rounding(NamedTuple):
    """How far writing the weights in fewer bits may move the logits, and why that far."""

    share: float
    """Of the distance between the largest and the median logit."""
    why: str


EXACT = Rounding(1e-4, "The weights are written whole; only the order of additions differs.")
NO_MERGE = (
    "Its method works beside the layers, not in their weights, so it can't be merged: "
    "export the adapter instead."
)
