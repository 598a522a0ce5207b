"""Rows to batches: sequences in a reproducible order, padded or packed, with exact borders."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from maxaillm.dev.finetune.hf.packing import pack
from maxaillm.dev.finetune.hf.tokenise import TokenRows

IGNORED = -100
MEGABATCH = 50
"""Batches whose rows are sorted by length together: short with short, yet still shuffled."""

Sequence = list[int]
"""The numbers of the rows that share a sequence; just one unless packed."""
Batch = dict[str, Any]


class Sequences(Dataset[Sequence]):
    """What one draw from the data is: a row, or several that were packed together."""

    def __init__(self, rows: TokenRows, *, packed: bool, width: int) -> None:
        self.rows, self.packed = rows, packed
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
    """Makes the tensors of a batch.

    Packed rows are kept apart by their positions, which start again at 0; that is exact only
    without an attention mask and without a cache. Padding comes last, after a position 0 of its
    own, so no row sees it either.
    """

    def __init__(self, rows: TokenRows, pad_token_id: int, *, packed: bool) -> None:
        self.rows, self.pad_token_id, self.packed = rows, pad_token_id, packed

    def __call__(self, sequences: list[Sequence]) -> Batch:
        width = max(sum(len(self.rows[row][0]) for row in sequence) for sequence in sequences)
        shape = (len(sequences), width)
        ids = np.full(shape, self.pad_token_id, np.int64)
        labels = np.full(shape, IGNORED, np.int64)
        positions = np.zeros(shape, np.int64)
        used = np.zeros(shape, np.int64)
        for line, sequence in enumerate(sequences):
            start = 0
            for row in sequence:
                tokens, learned = self.rows[row]
                part = slice(start, start + len(tokens))
                ids[line, part] = tokens
                labels[line, part] = np.where(learned, tokens, IGNORED)
                positions[line, part] = np.arange(len(tokens))
                used[line, part] = 1
                start += len(tokens)
            positions[line, start:] = np.arange(width - start)
        batch: Batch = {"input_ids": ids, "labels": labels}
        batch |= {"position_ids": positions} if self.packed else {"attention_mask": used}
        tensors: Batch = {name: torch.from_numpy(value) for name, value in batch.items()}
        return tensors | {"tokens": int(used.sum())}


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
        self.order = order

    def set_epoch(self, epoch: int) -> None:
        self.order.set_epoch(epoch)


def eval_batches(
    sequences: Sequences, collator: Collator, batch_size: int
) -> Iterator[dict[str, Tensor]]:
    """Batches for measuring: sorted by length, no chance involved."""
    order = sorted(range(len(sequences)), key=lambda index: -sequences.lengths[index])
    for at in range(0, len(order), batch_size):
        batch = collator([sequences[index] for index in order[at : at + batch_size]])
        yield {name: value for name, value in batch.items() if name != "tokens"}
