"""Packed pairs: texts that are read and texts that are written, several in a sequence each."""

from __future__ import annotations

import numpy as np

from maxaillm.dev.finetune.hf.batches.collate import Array, Batch, LabelCollator, Sequence, tensors
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Ragged


class PairCollator(LabelCollator):
    """Makes the tensors of a batch of packed pairs. `readers` and `writers` say of each token that
    is read, and of each label, which row it belongs to, or -1."""

    def __call__(self, sequences: list[Sequence]) -> Batch:
        ids, readers = in_lines(sequences, self.rows.tokens, self.pad_token_id)
        labels, writers = in_lines(sequences, self.rows.labels, IGNORED)
        batch = {"input_ids": ids, "labels": labels, "readers": readers, "writers": writers}
        used = int((readers >= 0).sum() + (writers >= 0).sum())
        return tensors(batch | {"rows": writers}, used)


def in_lines(sequences: list[Sequence], texts: Ragged, filling: int) -> tuple[Array, Array]:
    """Texts one behind the other, [sequences, longest], and whose each token is, or -1."""
    lines = [np.concatenate([texts[row] for row in sequence]) for sequence in sequences]
    shape = (len(lines), max(map(len, lines)))
    values, owners = np.full(shape, filling, np.int64), np.full(shape, -1, np.int64)
    for number, (line, sequence) in enumerate(zip(lines, sequences, strict=True)):
        values[number, : len(line)] = line
        lengths = [len(texts[row]) for row in sequence]
        owners[number, : len(line)] = np.repeat(sequence, lengths)
    return values, owners
