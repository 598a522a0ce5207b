"""What a model is judged by: what each held-out row adds to the metric, and a mere guess's loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as SequenceOf
from math import log
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from maxaillm.dev.finetune.advice.comparison import FloatArray
from maxaillm.dev.finetune.advice.history import EVAL_LOSS
from maxaillm.dev.finetune.hf.training.tasks import Observed
from maxaillm.dev.finetune.metrics import Classified, TokenLoss, metrics, statistics_of
from maxaillm.dev.finetune.tasks.names import TOKENS


def row_statistics(name: str, learned: SequenceOf[TokenLoss], seen: Observed) -> FloatArray | None:
    """Of each row, [rows, statistics]; None where the rows don't give this metric."""
    if name == EVAL_LOSS:
        return np.array([(row.total, row.tokens) for row in learned], dtype=np.float64)
    if name not in metrics:
        return None
    metric = metrics[name](name=name)
    rows: SequenceOf[Any] = learned if metric.made_of is TokenLoss else seen.predictions
    fits = all(isinstance(part, metric.made_of) for part in flat(rows))
    return statistics_of(metric, rows) if rows and fits else None


def flat(rows: SequenceOf[Any]) -> list[Any]:
    """Of documents of classified words, the words."""
    return [part for row in rows for part in (row if isinstance(row, list) else [row])]


def guess_loss(task: str, model: PreTrainedModel, predictions: SequenceOf[Any]) -> float | None:
    """The loss of who guesses without reading; None where no such guess is known.

    Labels are guessed by their shares among these rows, tokens all alike.
    """
    labels = [part.label for part in flat(predictions) if isinstance(part, Classified)]
    if labels:
        shares = [count / len(labels) for count in Counter(labels).values()]
        return -sum(share * log(share) for share in shares) or None
    if task in TOKENS:
        return log(int(model.config.get_text_config().vocab_size))
    return None
