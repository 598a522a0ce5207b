"""Evaluation on held-out rows: the loss, and the metrics of what a model makes of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import JsonValue
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.advice.comparison import Comparison, FloatArray
from maxaillm.dev.finetune.advice.history import EVAL_LOSS
from maxaillm.dev.finetune.config.compatibility import unfit_metrics
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.readers.options import ReadOptions
from maxaillm.dev.finetune.data.reading.examples import has_split
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.data.rows.splits import EVERY_SPLIT, Split
from maxaillm.dev.finetune.errors import ConfigError, DataError
from maxaillm.dev.finetune.hf.batches.collate import Sequences
from maxaillm.dev.finetune.hf.batches.tokenise import require_rows
from maxaillm.dev.finetune.hf.distributed import agreed_scores
from maxaillm.dev.finetune.hf.evaluation.judged import flat, guess_loss, row_statistics
from maxaillm.dev.finetune.hf.training.baseline import Baseline
from maxaillm.dev.finetune.hf.training.dataset import TaskDataset
from maxaillm.dev.finetune.hf.training.tasks import ModelTask
from maxaillm.dev.finetune.hf.training.token_loss import measuring
from maxaillm.dev.finetune.metrics import Answered, Metric, metrics, statistics_of
from maxaillm.dev.finetune.metrics.shared.confidence import interval
from maxaillm.dev.finetune.run.row_scores import RowScores, beside

BATCH = 8
Scores = dict[str, JsonValue]


class HeldOutEvaluator:
    """Measures a model on the same held-out rows each time, by the same metrics.

    With `intervals`, each metric comes with where it lies with 95 % probability. `statistics`,
    `guess_loss` and `predictions` are of the newest measurement: what each row adds to the metric
    `judged_by`, the loss of who guesses without reading, and what was said of each row.
    """

    statistics: FloatArray | None = None
    guess_loss: float | None = None
    predictions: SequenceOf[Any] = ()

    def __init__(
        self,
        task: ModelTask,
        tokenizer: Tokenizer,
        held_out: Sequences,
        names: SequenceOf[str],
        *,
        batch_size: int = BATCH,
        intervals: bool = False,
        judged_by: str = EVAL_LOSS,
    ) -> None:
        self.judged_by = judged_by
        self.task, self.tokenizer, self.held_out, self.names = task, tokenizer, held_out, names
        self.batch_size, self.intervals = batch_size, intervals
        self.by_metric: dict[str, FloatArray] = {}

    def scores(self, model: PreTrainedModel) -> Scores:
        """eval_loss, the metrics that need no generation, how many rows and how many seconds."""
        began = time.monotonic()
        with measuring(model):
            seen = self.task.observe(model, self.held_out, self.tokenizer, self.batch_size)
        learned = [row for row in seen.losses if row.tokens]
        loss = sum(row.total for row in learned) / sum(row.tokens for row in learned)
        self.by_metric = {EVAL_LOSS: np.array([(row.total, row.tokens) for row in learned])}
        scores: Scores = {EVAL_LOSS: loss}
        scores |= self.figures(learned) | self.figures(seen.predictions)
        self.statistics = row_statistics(self.judged_by, learned, seen)
        self.guess_loss = guess_loss(self.task.name, model, seen.predictions)
        self.predictions = seen.predictions
        return scores | {"rows": len(self.held_out.rows), "seconds": time.monotonic() - began}

    def baseline(self, model: PreTrainedModel) -> Baseline:
        """Measure a model that is not tuned yet."""
        scores = agreed_scores(self.scores(model) | self.answer_scores(model))
        return Baseline(scores, self.statistics, self.guess_loss)

    def beside(self, base: FloatArray | None, *, higher_is_better: bool) -> Comparison | None:
        """The model measured last, beside the one whose `statistics` were `base`; None where
        there are none of the same rows."""
        return beside(self.judged_by, base, self.statistics, higher_is_better=higher_is_better)

    @property
    def row_scores(self) -> RowScores:
        """What each row added to each metric when it was measured last."""
        rows = self.held_out.rows
        return RowScores.of(self.by_metric, rows.examples, rows.tokens.values, rows.labels.values)

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
                self.by_metric[metric.name] = found = statistics_of(metric, rows)
                scores[metric.name] = metric.figure(found.sum(axis=0))
                if self.intervals:
                    scores[f"{metric.name}_interval"] = list(interval(metric, rows))
        return scores


def kind_of(rows: SequenceOf[Any]) -> type | None:
    """What rows are; of documents of classified words, what the words are."""
    return next(map(type, flat(rows)), None)


def chosen(names: SequenceOf[str]) -> list[Metric]:
    return [metrics[name](name=name) for name in names]


class EvaluationFile(NamedTuple):
    """A data file to measure a model on: of a file with splits its `split`, else what is not for
    training. `options`: how it is written."""

    path: Path
    split: Split | None = None
    options: ReadOptions | None = None

    def kind(self) -> type[Example]:
        """What its examples are. Raises DataError."""
        first = next(self.read(), None)
        if first is None:
            raise DataError(f"{self.path.name} has no rows.", "Choose a file with rows in it.")
        return type(first)

    def examples(self) -> Iterator[Example]:
        """Those to measure on. Raises DataError where the file has no such split."""
        splits = self.splits()
        return (example for example in self.read() if example.split in splits)

    def read(self) -> Iterator[Example]:
        return read_documents(self.path, options=self.options)

    def splits(self) -> tuple[Split | None, ...]:
        if self.split is None:
            held_out: tuple[Split, ...] = ("validation", "test")
            return held_out if any(map(self.has, held_out)) else EVERY_SPLIT
        if self.has(self.split):
            return (self.split,)
        raise DataError(
            f"{self.path.name} has no rows for {self.split}.",
            "Leave the split out, or choose another.",
        )

    def has(self, split: Split) -> bool:
        return has_split(self.path, split, self.options)


def evaluate_file(
    task: ModelTask,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    file: EvaluationFile,
    width: int,
    *,
    names: SequenceOf[str] = (),
) -> Scores:
    """The metrics of a model on a data file, with their intervals: those named, else all that
    serve the task."""
    scores = evaluate_examples(task, model, tokenizer, file.examples(), width, names)
    if unfit := [name for name in names if name not in scores]:
        raise DataError(
            f"{unfit[0]} can't be made of the rows of {file.path.name}.",
            f"Measured can be: {', '.join(name for name in metrics if name in scores)}.",
        )
    return scores


def evaluate_examples(
    task: ModelTask,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    examples: Iterable[Example],
    width: int,
    names: SequenceOf[str],
) -> Scores:
    """The metrics of a model on rows, with their intervals."""
    found = task.encoder(tokenizer, width).encode(examples)
    require_rows(found, "rows to measure")
    packed = task.packs and task.keeps_rows_apart(model)
    sequences = TaskDataset(task, found.rows, packed=packed, width=width)
    judge = HeldOutEvaluator(task, tokenizer, sequences, serving(task.name, names), intervals=True)
    return judge.scores(model) | judge.answer_scores(model)


def serving(task: str, names: SequenceOf[str]) -> list[str]:
    """The metrics named, if they serve the task; where none is, all that do. Raises ConfigError."""
    if problems := list(unfit_metrics(names, task, "metrics")):
        raise ConfigError(problems)
    return list(names) or [name for name, metric in metrics.items() if task in metric.tasks]
