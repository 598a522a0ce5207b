"""Measures a model on held-out rows: its loss, and the metrics of what it makes of them."""

from __future__ import annotations

import time
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.bootstrap import interval
from maxaillm.dev.finetune.examples import has_split
from maxaillm.dev.finetune.hf.collate import Sequences
from maxaillm.dev.finetune.hf.probe import keeps_rows_apart
from maxaillm.dev.finetune.hf.tasks import ModelTask
from maxaillm.dev.finetune.hf.token_loss import measuring
from maxaillm.dev.finetune.hf.tokenise import require_rows
from maxaillm.dev.finetune.metrics import Answered, Metric, metrics, score
from maxaillm.dev.finetune.running_text import read_documents
from maxaillm.dev.finetune.splits import EVERY_SPLIT, Split

BATCH = 8
Scores = dict[str, JsonValue]


class Judge:
    """Measures a model on the same held-out rows each time, by the same metrics.

    With `intervals`, each metric comes with where it lies with 95 % probability.
    """

    def __init__(
        self,
        task: ModelTask,
        tokenizer: Tokenizer,
        held_out: Sequences,
        names: SequenceOf[str],
        *,
        batch_size: int = BATCH,
        intervals: bool = False,
    ) -> None:
        self.task, self.tokenizer, self.held_out, self.names = task, tokenizer, held_out, names
        self.batch_size, self.intervals = batch_size, intervals

    def scores(self, model: PreTrainedModel) -> Scores:
        """eval_loss, the metrics that need no generation, how many rows and how many seconds."""
        began = time.monotonic()
        with measuring(model):
            seen = self.task.observe(model, self.held_out, self.tokenizer, self.batch_size)
        learned = [row for row in seen.losses if row.tokens]
        loss = sum(row.total for row in learned) / sum(row.tokens for row in learned)
        scores: Scores = {"eval_loss": loss}
        scores |= self.figures(learned) | self.figures(seen.predictions)
        return scores | {"rows": len(self.held_out.rows), "seconds": time.monotonic() - began}

    def answer_scores(self, model: PreTrainedModel) -> Scores:
        """The metrics that are made of answers; empty where no row asks anything."""
        if not any(metric.made_of is Answered for metric in chosen(self.names)):
            return {}
        with measuring(model):
            answered = self.task.answer(model, self.held_out.rows, self.tokenizer)
        return self.figures(answered) | {"answered_rows": len(answered)} if answered else {}

    def figures(self, rows: SequenceOf[Any]) -> Scores:
        """The metrics that rows of this kind can make."""
        scores: Scores = {}
        for metric in chosen(self.names):
            if metric.made_of is kind_of(rows):
                scores[metric.name] = score(metric, rows)
                if self.intervals:
                    scores[f"{metric.name}_interval"] = list(interval(metric, rows))
        return scores


def kind_of(rows: SequenceOf[Any]) -> type | None:
    """What rows are; of documents of classified words, what the words are."""
    flat = (part for row in rows for part in (row if isinstance(row, list) else [row]))
    first = next(flat, None)
    return None if first is None else type(first)


def chosen(names: SequenceOf[str]) -> list[Metric]:
    return [metrics[name](name=name) for name in names]


def evaluate_file(
    task: ModelTask, model: PreTrainedModel, tokenizer: Tokenizer, path: Path, width: int
) -> Scores:
    """Every metric of a model on a data file; of one with splits, on what is not for training."""
    held_out: tuple[Split, ...] = ("validation", "test")
    has_splits = any(has_split(path, split) for split in held_out)
    splits = held_out if has_splits else EVERY_SPLIT
    examples = (example for example in read_documents(path) if example.split in splits)
    found = task.encoder(tokenizer, width).encode(examples)
    require_rows(found, path.name)
    packed = task.packs and keeps_rows_apart(model)
    sequences = Sequences(found.rows, packed=packed, width=width)
    names = [name for name, metric in metrics.items() if task.name in metric.tasks]
    judge = Judge(task, tokenizer, sequences, names, intervals=True)
    return judge.scores(model) | judge.answer_scores(model)
