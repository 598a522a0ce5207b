"""Baseline of a run: what the base model measures, kept in checkpoints for a run that goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import JsonValue

from maxaillm.dev.finetune.advice.comparison import FloatArray

FILE = "baseline.json"


class Baseline(NamedTuple):
    """The base model on the held-out rows; a resumed run has it no more, and can't ask it."""

    scores: dict[str, JsonValue]
    statistics: FloatArray | None
    """What each row adds to the metric that the run is judged by."""
    guess_loss: float | None

    def write(self, folder: Path) -> None:
        rows = None if self.statistics is None else self.statistics.tolist()
        kept = self._replace(scores=finite(self.scores))._asdict() | {"statistics": rows}
        (folder / FILE).write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The one in a checkpoint; None in those that were made without."""
        if not (folder / FILE).is_file():
            return None
        read = json.loads((folder / FILE).read_text(encoding="utf-8"))
        kept = {name: read[name] for name in cls._fields}
        if kept["statistics"] is not None:
            kept["statistics"] = np.array(kept["statistics"], dtype=np.float64)
        return cls(**kept)


def finite(scores: Mapping[str, Any]) -> dict[str, Any]:
    """What is no finite number is left out, as from the journal."""
    return {
        name: value
        for name, value in scores.items()
        if not isinstance(value, float) or isfinite(value)
    }
