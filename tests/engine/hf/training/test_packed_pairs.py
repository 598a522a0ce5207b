"""Packed pairs: of rows in one sequence a model says what it says of each alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM

from maxaillm.dev.finetune.hf.batches.collate import LabelCollator, Sequences
from maxaillm.dev.finetune.hf.batches.packing import pack_pairs
from maxaillm.dev.finetune.hf.batches.pairs import PairCollator
from maxaillm.dev.finetune.hf.batches.rows import Rows, Tokens
from maxaillm.dev.finetune.hf.kernels import packed_attention
from maxaillm.dev.finetune.hf.kernels.cpu_attention import attention
from maxaillm.dev.finetune.hf.kernels.packed_attention import BY_DOCUMENT, take_documents_apart
from maxaillm.dev.finetune.hf.training.packed_pairs import keeps_pairs_apart
from maxaillm.dev.finetune.hf.training.tasks.seq2seq_lm import Seq2SeqLoss
from maxaillm.dev.finetune.losses.cross_entropy import CrossEntropy
from tests.families import FAMILIES

LENGTHS = [(5, 9), (17, 2), (9, 9), (30, 1), (12, 20), (3, 28), (1, 1)]
WIDTH = 40


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES["t5"](tmp_path_factory.mktemp("models") / "t5")


@pytest.fixture(scope="module")
def rows() -> Rows:
    chance = torch.Generator().manual_seed(0)
    texts = [
        [torch.randint(5, 250, (length,), generator=chance).tolist() for length in pair]
        for pair in LENGTHS
    ]
    return Rows.of(Tokens(read, written, n) for n, (read, written) in enumerate(texts))


def gradient(model: Any, rows: Rows, *, packed: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
    sequences = Sequences(rows, packed=packed, width=WIDTH, paired=True)
    assert len(sequences) == (2 if packed else len(LENGTHS))
    collate = (PairCollator if packed else LabelCollator)(rows, 0, by_row=False)
    batch = collate([sequences[number] for number in range(len(sequences))])
    assert batch.pop("tokens") == sum(map(sum, LENGTHS))
    labels, _ = batch.pop("labels"), batch.pop("rows")
    model.zero_grad()
    total = Seq2SeqLoss(model, CrossEntropy())(model, batch, labels)
    total.backward()
    return total.detach(), [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("apart", [False, True], ids=["by mask", "by document"])
def test_packed_pairs_lose_what_they_lose_alone(
    t5: Path, rows: Rows, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def note(*inputs: Any) -> Tensor:
        sizes.extend(part.queries.stop - part.queries.start for part in inputs[0].parts)
        return attention(*inputs)

    monkeypatch.setattr(packed_attention, "attention", note)
    model = AutoModelForSeq2SeqLM.from_pretrained(t5, dtype=torch.float32).eval()
    expected, theirs = gradient(model, rows, packed=False)
    if apart:
        take_documents_apart(model)
        assert model.config._attn_implementation == BY_DOCUMENT
    sizes.clear()
    total, mine = gradient(model, rows, packed=True)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-4)
    for own, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4)
    assert bool(sizes) is apart
    assert max(sizes, default=0) <= max(max(pair) for pair in LENGTHS)


def test_a_model_that_counts_positions_from_the_start_is_not_packed(
    t5: Path, tmp_path: Path
) -> None:
    bart = AutoModelForSeq2SeqLM.from_pretrained(FAMILIES["bart"](tmp_path / "bart"))
    assert not keeps_pairs_apart(bart)
    model = AutoModelForSeq2SeqLM.from_pretrained(t5)
    assert keeps_pairs_apart(model)
    take_documents_apart(model)
    assert keeps_pairs_apart(model)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=400),
    st.integers(50, 90),
)
def test_every_pair_is_in_one_sequence_that_has_room(
    lengths: list[tuple[int, int]], width: int
) -> None:
    read, written = np.array(lengths).T
    groups = pack_pairs(read, written, width)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        assert max(read[group].sum(), written[group].sum()) <= width


def test_sequences_of_pairs_are_full() -> None:
    chance = np.random.default_rng(0)
    read, written = chance.integers(5, 120, 3000), chance.integers(5, 60, 3000)
    groups = pack_pairs(read, written, 512)
    assert read.sum() / (len(groups) * 512) > 0.97
