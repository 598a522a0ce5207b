"""Batches of answers: as we make them, and in the shapes that TRL's trainers take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from maxaillm.dev.finetune.hf.batches.collate import (
    Array,
    Batch,
    BatchOrder,
    Collator,
    Sequence,
    pad,
    tensors,
)
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows
from maxaillm.dev.finetune.hf.training.tasks.preference.rows import Answer, answers_in

Shape = Callable[[Mapping[str, Tensor]], dict[str, Any]]


class PreferenceCollator(Collator):
    """input_ids, attention_mask and labels [rows, answers, tokens]; good [rows, answers].

    With `mismatched`, also each prompt with the answer to another one of the batch, as
    mismatched_ids, _mask and _labels. `reference` [all rows, answers, 1 or 2] holds what the
    model made of these at first: log-probabilities of the answer and the mismatched one.
    """

    def __init__(self, rows: Rows, pad_token_id: int, *, mismatched: bool) -> None:
        super().__init__(rows, pad_token_id)
        self.mismatched = mismatched
        self.reference: npt.NDArray[np.float32] | None = None

    def __call__(self, sequences: list[Sequence]) -> Batch:
        numbers = [row for sequence in sequences for row in sequence]
        answers = [answers_in(self.rows, row) for row in numbers]
        stacked = [answer for several in zip(*answers, strict=True) for answer in several]
        batch = self.stack(stacked, len(numbers), "input_ids", "attention_mask", "labels")
        used = int(batch["attention_mask"].sum())
        batch["good"] = np.array([[answer.is_good for answer in row] for row in answers])
        batch["rows"] = np.array(numbers, np.int64)
        if self.mismatched:
            width = batch["input_ids"].shape[-1]
            pairs = zip(stacked, [stacked[-1], *stacked[:-1]], strict=True)
            others = [mismatch(prompt, answer, width) for prompt, answer in pairs]
            names = ("mismatched_ids", "mismatched_mask", "mismatched_labels")
            batch |= self.stack(others, len(numbers), *names)
        if self.reference is not None:
            batch["reference"] = self.reference[numbers]
        return tensors(batch, used)

    def stack(self, answers: list[Answer], rows: int, *names: str) -> dict[str, Array]:
        """Tensors [rows, answers, tokens] of all first answers, then all second ones."""
        ids, used = pad([answer.ids for answer in answers], self.pad_token_id)
        labels, _ = pad([answer.labels for answer in answers], IGNORED)
        arrays = (array.reshape(-1, rows, array.shape[1]) for array in (ids, used, labels))
        swapped = (np.ascontiguousarray(array.swapaxes(0, 1)) for array in arrays)
        return dict(zip(names, swapped, strict=True))


def mismatch(prompt: Answer, answer: Answer, width: int) -> Answer:
    """The answer to another prompt, no longer than the batch is anyway."""
    ids = np.concatenate([prompt.ids[: prompt.start], answer.ids[answer.start :]])
    ignored = np.full(prompt.start, IGNORED, answer.labels.dtype)
    labels = np.concatenate([ignored, answer.labels[answer.start :]])
    return Answer(ids[:width], labels[:width], is_good=False)


class FixedOrder(BatchOrder):
    """The same rows come together in each epoch and process, only the steps change places: what
    was computed of a row beforehand may then depend on its batch, and is where it is needed."""

    def steps(self) -> Iterator[list[int]]:
        now, self.epoch = self.epoch, 0
        made = list(super().steps())
        self.epoch = now
        short = [made.pop()] if len(made[-1]) < self.layout.step else []
        for number in np.random.default_rng([self.seed, now]).permutation(len(made)):
            yield made[number]
        yield from short


def flat(values: Tensor) -> Tensor:
    """[rows, answers, ...] as [answers * rows, ...]: all first answers, then all second ones."""
    return values.transpose(0, 1).flatten(0, 1)


def completions(batch: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "input_ids": flat(batch["input_ids"]),
        "attention_mask": flat(batch["attention_mask"]),
        "completion_mask": (flat(batch["labels"]) != IGNORED).long(),
    }


def stacked(batch: Mapping[str, Tensor]) -> dict[str, Any]:
    """For DPO."""
    inputs = completions(batch)
    if "reference" in batch:
        better, worse = batch["reference"][..., 0].unbind(1)
        inputs |= {"ref_chosen_logps": better, "ref_rejected_logps": worse}
    return inputs


def judged(batch: Mapping[str, Tensor]) -> dict[str, Any]:
    """For KTO."""
    inputs = completions(batch) | {
        "label": flat(batch["good"]),
        "KL_input_ids": flat(batch["mismatched_ids"]),
        "KL_attention_mask": flat(batch["mismatched_mask"]),
        "KL_completion_mask": (flat(batch["mismatched_labels"]) != IGNORED).long(),
    }
    if "reference" in batch:
        own, other = flat(batch["reference"]).unbind(1)
        inputs |= {"ref_logps": own, "ref_KL_logps": other}
    return inputs


def sides(batch: Mapping[str, Tensor]) -> dict[str, Any]:
    """For ORPO."""
    names = ("input_ids", "attention_mask", "labels")
    return {
        f"{side}_{name}": batch[name][:, place]
        for place, side in enumerate(("chosen", "rejected"))
        for name in names
    }


SHAPES: Mapping[str, Shape] = {"stacked": stacked, "judged": judged, "sides": sides}
