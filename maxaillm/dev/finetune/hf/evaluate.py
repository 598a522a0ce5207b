"""Measures a model on held-out rows: the loss over all their tokens and what is made of it."""

from __future__ import annotations

import time
from collections.abc import Sequence as SequenceOf
from pathlib import Path

from pydantic import JsonValue
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.examples import has_split
from maxaillm.dev.finetune.hf.answers import answer_rows
from maxaillm.dev.finetune.hf.collate import Collator, Sequences, eval_batches
from maxaillm.dev.finetune.hf.probe import keeps_rows_apart
from maxaillm.dev.finetune.hf.token_loss import measure
from maxaillm.dev.finetune.hf.tokenise import Encoder, TokenRows, require_rows
from maxaillm.dev.finetune.metrics import AnswerMetric, Metric, TokenLossMetric, metrics, score
from maxaillm.dev.finetune.running_text import read_documents
from maxaillm.dev.finetune.splits import EVERY_SPLIT, Split

BATCH = 8


def scores_on(
    model: PreTrainedModel,
    sequences: Sequences,
    pad_token_id: int,
    batch_size: int,
    names: SequenceOf[str],
) -> dict[str, JsonValue]:
    """eval_loss, the named metrics made of it, how many rows there were and how long it took."""
    began = time.monotonic()
    collator = Collator(sequences.rows, pad_token_id, packed=sequences.packed)
    loss = measure(model, eval_batches(sequences, collator, batch_size))
    scores: dict[str, JsonValue] = {"eval_loss": loss.total / loss.tokens}
    for metric in chosen(names):
        if isinstance(metric, TokenLossMetric):
            scores[metric.name] = score(metric, [loss])
    return scores | {"rows": len(sequences.rows), "seconds": time.monotonic() - began}


def answer_scores(
    model: PreTrainedModel, tokenizer: Tokenizer, rows: TokenRows, names: SequenceOf[str]
) -> dict[str, JsonValue]:
    """The named metrics that are made of answers; empty where no row asks anything."""
    metrics_of_answers = [metric for metric in chosen(names) if isinstance(metric, AnswerMetric)]
    answered = answer_rows(model, tokenizer, rows) if metrics_of_answers else []
    if not answered:
        return {}
    scores: dict[str, JsonValue] = {
        metric.name: score(metric, answered) for metric in metrics_of_answers
    }
    return scores | {"answered_rows": len(answered)}


def chosen(names: SequenceOf[str]) -> list[Metric]:
    return [metrics[name](name=name) for name in names]


def evaluate_file(
    model: PreTrainedModel, tokenizer: Tokenizer, path: Path, width: int
) -> dict[str, JsonValue]:
    """Every metric of a model on a data file; of one with splits, on what is not for training."""
    held_out: tuple[Split, ...] = ("validation", "test")
    has_splits = any(has_split(path, split) for split in held_out)
    splits = held_out if has_splits else EVERY_SPLIT
    examples = (example for example in read_documents(path) if example.split in splits)
    found = Encoder(tokenizer, "answers", width).encode(examples)
    require_rows(found, path.name)
    sequences = Sequences(found.rows, packed=keeps_rows_apart(model), width=width)
    scores = scores_on(model, sequences, int(tokenizer.pad_token_id or 0), BATCH, list(metrics))
    return scores | answer_scores(model, tokenizer, found.rows, list(metrics))
