"""What the run doctor looks at beside the loss: labels that are missed, ends that are not said."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maxaillm.dev.finetune.advice.history import EndCount, LabelCount, RunHistory, TokenCounts
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows
from maxaillm.dev.finetune.hf.evaluation.evaluator import HeldOutEvaluator
from maxaillm.dev.finetune.hf.generation.sampling import end_tokens
from maxaillm.dev.finetune.hf.training.tasks import ModelTask
from maxaillm.dev.finetune.hf.training.token_loss import measuring
from maxaillm.dev.finetune.metrics import Classified

ENDS_ASKED = 32
"""Rows in which ends are looked for: enough to tell half from nearly all."""


def with_ends(
    counts: TokenCounts | None, task: ModelTask, model: Any, tokenizer: Any, rows: Rows
) -> TokenCounts | None:
    """The counts of the training rows, with those that teach an end token."""
    ends = ends_taught(task, model, tokenizer)
    return counts._replace(ended=examples_with_end(rows, ends)) if counts and ends else counts


def look(history: RunHistory, evaluator: HeldOutEvaluator, model: Any, trained: Rows) -> None:
    """Note what the model that was measured last makes of labels and of ends."""
    task, rows = evaluator.task, evaluator.held_out.rows
    history.labels = label_counts(getattr(task, "labels", ()), trained, evaluator.predictions)
    if ends := ends_taught(task, model, evaluator.tokenizer):
        history.ends = ends_said(model, rows, ends, aligned=task.aligned)


def ends_taught(task: ModelTask, model: Any, tokenizer: Any) -> list[int]:
    """The end tokens; none where rows are no single answers, as those of preferences."""
    return end_tokens(model, tokenizer) if task.answers and task.one_answer_a_row else []


def label_counts(names: Sequence[str], rows: Rows, predictions: Sequence[Any]) -> list[LabelCount]:
    """Of each label its training and its held-out rows; empty where a text has no one label."""
    said = [one for one in predictions if isinstance(one, Classified)]
    if not names or not said:
        return []
    trained = np.bincount(rows.labels.values, minlength=len(names))
    held_out, right = [0] * len(names), [0] * len(names)
    for one in said:
        held_out[one.label] += 1
        right[one.label] += int(one.predicted == one.label)
    return [
        LabelCount(name, int(trained[at]), held_out[at], right[at]) for at, name in enumerate(names)
    ]


def examples_with_end(rows: Rows, ends: Collection[int]) -> int:
    """How many examples teach an end token; a long document ends in the last of its rows."""
    is_end = np.isin(rows.labels.values, list(ends))
    places = np.flatnonzero(is_end)
    of_rows = np.searchsorted(rows.labels.starts, places, side="right") - 1
    return len(np.unique(rows.examples[of_rows]))


def ends_said(model: Any, rows: Rows, ends: Collection[int], *, aligned: bool) -> EndCount:
    """At how many ends in held-out rows an end token is the likeliest. `aligned`: the labels are
    the tokens themselves, as in causal models, and each is said at the place before it. Texts
    that are learned from their beginning are left out: where one ends, nobody can know."""
    asked = said = 0
    with measuring(model):
        for at in range(min(len(rows), ENDS_ASKED)):
            ids, labels = rows[at]
            places = np.flatnonzero(np.isin(labels, list(ends)))[-1:]
            if not len(places) or (aligned and labels[1] != IGNORED):
                continue
            likeliest = said_in(model, ids, labels, aligned=aligned)
            asked += 1
            said += int(likeliest[places[0]] in ends)
    return EndCount(asked, said)


def said_in(model: Any, ids: NDArray[Any], labels: NDArray[Any], *, aligned: bool) -> NDArray[Any]:
    """For each label the likeliest token in its place."""
    given = {"input_ids": torch.tensor(ids, device=model.device)[None].long()}
    if not aligned:
        given["labels"] = torch.tensor(labels, device=model.device)[None].long()
    logits = model(**given).logits[0, -len(labels) :]
    found = logits.argmax(-1).cpu().numpy()
    return np.concatenate([[IGNORED], found[:-1]]) if aligned else found
