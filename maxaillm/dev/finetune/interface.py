"""What every provider of fine-tuning offers: the six steps, whatever stands behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from pydantic import JsonValue


class MaxFineTuningInterface(Protocol):
    """The six core methods, in the order in which they are called."""

    def prepare_data(
        self, train_file: str | Path | None = None, validation_file: str | Path | None = None
    ) -> tuple[Any, Any]:
        """Read and tokenise: what is trained on, and what is held out (or None)."""

    def configure_model(self) -> tuple[Any, Any]:
        """The model, set up for its tuning method, and its tokenizer."""

    def train(
        self, model: Any, tokenizer: Any, train_dataset: Any, eval_dataset: Any = None
    ) -> Any:
        """Make all steps. Returns what did it, for `evaluate` and `save_model`."""

    def evaluate(self, trainer: Any) -> dict[str, JsonValue]:
        """Figures on the held-out rows; empty where there are none."""

    def save_model(self, trainer: Any, path: str | Path | None = None) -> Path:
        """Write the tuned model. Returns its folder."""

    def deploy(self) -> None:
        """Serve the tuned model."""
