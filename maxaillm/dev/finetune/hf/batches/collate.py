"""Collating: rows to batches in a reproducible order, padded or packed, with exact borders."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from maxaillm.dev.finetune.hf.batches.packing import pack, pack_pairs
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows

MEGABATCH = 50
"""Steps whose rows are sorted by length together: short with short, yet still shuffled."""

Sequence = list[int]
"""The numbers of the rows that share a sequence; just one unless packed."""
Batch = dict[str, Any]
Array = npt.NDArray[Any]


class Sequences(Dataset[Sequence]):
    """What one draw from the data is: a row, or several that were packed together. `paired`: the
    labels are another text, which is packed beside what is read."""

    def __init__(self, rows: Rows, *, packed: bool, width: int, paired: bool = False) -> None:
        self.rows, self.packed = rows, packed
        lengths = rows.lengths
        if packed and paired:
            self.groups = pack_pairs(rows.tokens.lengths, rows.labels.lengths, width)
        else:
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
        tokens = int(batch["attention_mask"].sum())
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
            tokens += int(used.sum())
        return tensors(batch, tokens)


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


class BatchLayout(NamedTuple):
    """How the sequences of a step are divided: into batches one after another, each over all
    processes."""

    batch_size: int
    """Sequences of a batch on one device."""
    batches: int = 1
    processes: int = 1
    rank: int = 0

    @property
    def at_once(self) -> int:
        return self.batch_size * self.processes

    @property
    def step(self) -> int:
        return self.at_once * self.batches


class BatchOrder(Sampler[list[int]]):
    """Which sequences come together in a step, and when: a pure function of seed, epoch and how
    many a step has. How those are divided makes no difference to it.

    Resuming in the middle of an epoch therefore meets the same batches, also what a collator
    draws by chance. The last step of an epoch may have fewer; a process may then get none.
    """

    def __init__(
        self, sequences: Sequences, layout: BatchLayout, seed: int, collator: Collator
    ) -> None:
        self.sequences, self.layout, self.seed = sequences, layout, seed
        self.collator = collator
        self.set_epoch(0)

    def __len__(self) -> int:
        steps, rest = divmod(len(self.sequences), self.layout.step)
        return steps * self.layout.batches + ceil(rest / self.layout.at_once)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = self.collator.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        size, rank, processes = self.layout.at_once, self.layout.rank, self.layout.processes
        for step in self.steps():
            for at in range(0, len(step), size):
                yield step[at : at + size][rank::processes]

    def steps(self) -> Iterator[list[int]]:
        """The sequences of each step; unless packed, those of a step are of like length."""
        chance = np.random.default_rng([self.seed, self.epoch])
        order, size = chance.permutation(len(self.sequences)), self.layout.step
        if self.sequences.packed:
            yield from (step.tolist() for step in cut(order, size))
            return
        rest = len(order) % size
        whole = [self.by_length(chunk) for chunk in cut(order[rest:], size * MEGABATCH)]
        steps = [step for chunk in whole for step in cut(chunk, size)]
        for number in chance.permutation(len(steps)):
            yield steps[number].tolist()
        if rest:
            yield self.by_length(order[:rest]).tolist()

    def by_length(self, chunk: Array) -> Array:
        lengths = np.array(self.sequences.lengths)[chunk]
        return chunk[np.argsort(-lengths, kind="stable")]


def cut(order: Array, size: int) -> list[Array]:
    return [order[at : at + size] for at in range(0, len(order), size)]


class Loader(DataLoader[Sequence]):
    """A DataLoader that hands the epoch on to its order, and draws no random number itself."""

    def __init__(
        self, sequences: Sequences, order: BatchOrder, collator: Collator, **options: Any
    ) -> None:
        self.sequences, self.order, self.collator = sequences, order, collator
        super().__init__(
            sequences,
            batch_sampler=order,
            collate_fn=self.collate,
            generator=torch.Generator(),
            **options,
        )

    def set_epoch(self, epoch: int) -> None:
        self.order.set_epoch(epoch)

    def collate(self, sequences: list[Sequence]) -> Batch:
        """A batch. A process that got nothing takes part with a dummy that counts nothing."""
        if sequences:
            return self.collator(sequences)
        return self.collator([self.sequences[0]]) | {"tokens": 0, "is_dummy": True}


def eval_batches(
    sequences: Sequences, collator: Collator, batch_size: int
) -> Iterator[dict[str, Tensor]]:
    """Batches for measuring: sorted by length, no chance involved."""
    order = sorted(range(len(sequences)), key=lambda index: -sequences.lengths[index])
    for at in range(0, len(order), batch_size):
        batch = collator([sequences[index] for index in order[at : at + batch_size]])
        yield {name: value for name, value in batch.items() if name != "tokens"}
