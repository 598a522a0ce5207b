"""Perplexity of an export beside the trained model's, on the same rows: what rounding costs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.exports.shared.source import Trained
from maxaillm.dev.finetune.hf.evaluation.evaluator import EvaluationFile, evaluate_examples
from maxaillm.dev.finetune.hf.loading import context_length
from maxaillm.dev.finetune.hf.training.tasks import model_task

PASSAGE = Path(__file__).with_name("passage.txt")
"""What is read where no rows are given."""
MOST_ROWS, WIDTH = 200, 512
NAME = "perplexity"


class Reading:
    """Rows that both models read: those given, else a fixed text."""

    def __init__(self, trained: Trained, rows: Path | None) -> None:
        kind: type[Example] = EvaluationFile(rows).kind() if rows else Text
        fits = trained.task in kind.tasks
        self.kind, self.path = (kind, rows) if rows and fits else (Text, PASSAGE)
        self.tokenizer = trained.tokenizer
        self.width = min(WIDTH, context_length(trained.model) or WIDTH)
        config = RunConfig.parse({"model": {"name": "./export"}, "task": trained.task})
        self.task = model_task(trained.task)(config, self.kind)

    def of(self, model: Any) -> dict[str, JsonValue]:
        """`perplexity`, its interval and the number of rows."""
        rows = islice(self.examples(), MOST_ROWS)
        return evaluate_examples(self.task, model, self.tokenizer, rows, self.width, [NAME])

    def examples(self) -> Iterator[Example]:
        if self.path != PASSAGE:
            return EvaluationFile(self.path).examples()
        paragraphs = PASSAGE.read_text(encoding="utf-8").split("\n\n")
        return (Text(text=" ".join(paragraph.split())) for paragraph in paragraphs)

    def beside(self, model: dict[str, JsonValue], export: dict[str, JsonValue]) -> JsonValue:
        """For the report."""
        is_own = self.path != PASSAGE
        return {
            "on": "rows of the model's dataset" if is_own else "paragraphs of a fixed English text",
            "rows": model["rows"],
            "model": model[NAME],
            "model_interval": model[f"{NAME}_interval"],
            "export": export[NAME],
            "export_interval": export[f"{NAME}_interval"],
        }
