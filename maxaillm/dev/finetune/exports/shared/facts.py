"""What is known of a model before it is exported, and what rounding its weights may cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple


class ModelFacts(NamedTuple):
    """What tells whether a model can be exported in a form, before any of it is loaded."""

    task: str
    settings: Mapping[str, Any]
    """Its `config.json`, or its base's."""
    is_adapter: bool
    merges: bool = True
    """Whether the adapter can become part of its base's weights."""
    tokenizer: Path | None = None
    """Its `tokenizer.json`, where it has one."""

    @property
    def model_type(self) -> str:
        """The architecture's name, such as `llama`."""
        return str(self.settings.get("model_type"))

    @property
    def tokenizer_parts(self) -> dict[str, Any] | None:
        if self.tokenizer is None or not self.tokenizer.is_file():
            return None
        return read_parts(self.tokenizer, self.tokenizer.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def read_parts(path: Path, _changed: int) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


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
FEW_BITS = (
    "Its weights, or its base's, are stored in fewer bits: merged into rounded weights, an adapter "
    "would not do what it has learned. Name the full-precision original as the base."
)
