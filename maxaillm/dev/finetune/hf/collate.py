"""Rows to batches: sequences in a reproducible order, padded or packed, with exact borders."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from maxaillm.dev.finetune.hf.packing import pack
from maxaillm.dev.finetune.hf.rows import IGNORED, Rows

if TYPE_CHECKING:
    from maxaillm.dev.finetune.hf.tasks import ModelTask

MEGABATCH = 50
"""Batches whose rows are sorted by length together: short with short, yet still shuffled."""

Sequence = list[int]
"""The numbers of the rows that share a sequence; just one unless packed."""
Batch = dict[str, Any]
Array = npt.NDArray[Any]


class Sequences(Dataset[Sequence]):
    """What one draw from the data is: a row, or several that were packed together."""

    def __init__(
        self, rows: Rows, *, packed: bool, width: int, task: ModelTask | None = None
    ) -> None:
        self.rows, self.packed, self.task = rows, packed, task
        lengths = rows.lengths
        self.groups = pack(lengths, width) if packed else [[row] for row in range(len(rows))]
        self.lengths = [int(lengths[group].sum()) for group in self.groups]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> Sequence:
        return self.groups[index]

    @property
    def efficiency(self) -> float:
        """Share of the positions that hold a token where all sequences are as long as the
        longest."""
        return sum(self.lengths) / (len(self) * max(self.lengths))


class Collator:
    """Makes the tensors of a batch of rows whose labels lie at their tokens.

    Packed rows are kept apart by their positions, which start again at 0; that is exact only
    without an attention mask and without a cache. Padding comes last, after a position 0 of its
    own, so no row sees it either. `tokens` counts the tokens of a batch; `rows` says of each
    label which row it belongs to.
    """

    def __init__(self, rows: Rows, pad_token_id: int, *, packed: bool = False) -> None:
        self.rows, self.pad_token_id, self.packed = rows, pad_token_id, packed
        self.epoch: int | None = None
        """None while measuring: what is drawn by chance for training is then the same always."""

    def __call__(self, sequences: list[Sequence]) -> Batch:
        width = max(sum(len(self.rows[row][0]) for row in sequence) for sequence in sequences)
        shape = (len(sequences), width)
        ids = np.full(shape, self.pad_token_id, np.int64)
        labels = np.full(shape, IGNORED, np.int64)
        positions = np.zeros(shape, np.int64)
        numbers = np.full(shape, -1, np.int64)
        for line, sequence in enumerate(sequences):
            start = 0
            for row in sequence:
                tokens, learned = self.rows[row]
                part = slice(start, start + len(tokens))
                ids[line, part] = tokens
                labels[line, part] = learned
                positions[line, part] = np.arange(len(tokens))
                numbers[line, part] = row
                start += len(tokens)
            positions[line, start:] = np.arange(width - start)
        used = (numbers >= 0).astype(np.int64)
        batch = {"input_ids": ids, "labels": labels, "rows": numbers}
        batch |= {"position_ids": positions} if self.packed else {"attention_mask": used}
        return tensors(batch, int(used.sum()))

    def padded(self, rows: list[int]) -> dict[str, Array]:
        """The tokens of rows, one a line, and which positions hold one."""
        tokens = [self.rows.tokens[row] for row in rows]
        ids, used = pad(tokens, self.pad_token_id)
        return {"input_ids": ids, "attention_mask": used}


class LabelCollator(Collator):
    """Makes the tensors of a batch of rows whose labels are another text, a class or figures."""

    def __init__(self, rows: Rows, pad_token_id: int, *, by_row: bool) -> None:
        super().__init__(rows, pad_token_id)
        self.by_row = by_row

    def __call__(self, sequences: list[Sequence]) -> Batch:
        numbers = [row for sequence in sequences for row in sequence]
        batch = self.padded(numbers)
        labels = [self.rows.labels[row] for row in numbers]
        if self.by_row:
            stacked = np.stack(labels)
            batch["labels"] = stacked[:, 0] if stacked.shape[1] == 1 else stacked
            if stacked.dtype == np.int32:
                batch["labels"] = batch["labels"].astype(np.int64)
            batch["rows"] = np.array(numbers, np.int64)
        else:
            batch["labels"], used = pad(labels, IGNORED)
            batch["rows"] = np.where(used == 1, np.array(numbers)[:, None], -1)
        return tensors(batch, int(batch["attention_mask"].sum()))


def pad(rows: list[Array], filling: int) -> tuple[Array, Array]:
    """Rows side by side as [rows, longest], and 1 where there is a value."""
    shape = (len(rows), max(map(len, rows)))
    values, used = np.full(shape, filling, np.int64), np.zeros(shape, np.int64)
    for line, row in enumerate(rows):
        values[line, : len(row)] = row
        used[line, : len(row)] = 1
    return values, used


def tensors(batch: dict[str, Array], tokens: int) -> Batch:
    made: Batch = {name: torch.from_numpy(value) for name, value in batch.items()}
    return made | {"tokens": tokens}


class BatchOrder(Sampler[list[int]]):
    """Which sequences come together, and when: a pure function of seed and epoch.

    Resuming in the middle of an epoch therefore meets the same batches.
    """

    def __init__(self, sequences: Sequences, batch_size: int, seed: int) -> None:
        self.sequences, self.batch_size, self.seed = sequences, batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        return ceil(len(self.sequences) / self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        chance = np.random.default_rng([self.seed, self.epoch])
        order = chance.permutation(len(self.sequences))
        if self.sequences.packed:
            yield from self.cut(order.tolist())
            return
        lengths = np.array(self.sequences.lengths)
        size = self.batch_size * MEGABATCH
        chunks = [order[at : at + size] for at in range(0, len(order), size)]
        by_length = [chunk[np.argsort(-lengths[chunk], kind="stable")] for chunk in chunks]
        batches = [batch for chunk in by_length for batch in self.cut(chunk.tolist())]
        for number in chance.permutation(len(batches)):
            yield batches[number]

    def cut(self, order: list[int]) -> list[list[int]]:
        return [order[at : at + self.batch_size] for at in range(0, len(order), self.batch_size)]


class Loader(DataLoader[Sequence]):
    """A DataLoader that hands the epoch on to its order, and draws no random number itself."""

    def __init__(self, sequences: Sequences, order: BatchOrder, collator: Collator) -> None:
        super().__init__(
            sequences,
            batch_sampler=order,
            collate_fn=collator,
            generator=torch.Generator(),
            pin_memory=torch.cuda.is_available(),
        )
        self.order, self.collator = order, collator
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        self.order.set_epoch(epoch)
        self.collator.epoch = epoch


def eval_batches(
    sequences: Sequences, collator: Collator, batch_size: int
) -> Iterator[dict[str, Tensor]]:
    """Batches for measuring: sorted by length, no chance involved."""
    order = sorted(range(len(sequences)), key=lambda index: -sequences.lengths[index])
    for at in range(0, len(order), batch_size):
        batch = collator([sequences[index] for index in order[at : at + batch_size]])
        yield {name: value for name, value in batch.items() if name != "tokens"}
