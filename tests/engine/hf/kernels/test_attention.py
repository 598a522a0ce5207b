"""Attention document by document is the usual one, and steps aside where it does not apply."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModel, AutoModelForCausalLM

from maxaillm.dev.finetune.hf.kernels import packed_attention
from maxaillm.dev.finetune.hf.kernels.cpu_attention import Attend, attention
from maxaillm.dev.finetune.hf.kernels.packed_attention import (
    BY_DOCUMENT,
    blocks_of,
    take_documents_apart,
)
from maxaillm.dev.finetune.hf.loading.packing_probe import keeps_rows_apart
from tests.families import FAMILIES


def blocks(*lines: list[int]) -> Tensor:
    """A mask of causal blocks of these lengths, for each sequence of a batch."""
    masks = torch.zeros(len(lines), 1, sum(lines[0]), sum(lines[0]), dtype=torch.bool)
    for mask, line in zip(masks[:, 0], lines, strict=True):
        for end, length in zip(accumulate(line), line, strict=True):
            mask[end - length : end, end - length : end].fill_(True).tril_()
    return masks


def test_blocks_are_found_across_sequences() -> None:
    found = blocks_of(blocks([3, 1, 4], [8], [1, 7]))
    assert found is not None
    assert (found.causal, found.queries) == (True, [3, 1, 4, 8, 1, 7])


def test_blocks_that_are_read_are_found_with_the_keys_that_nobody_sees() -> None:
    mask = torch.zeros(2, 1, 4, 6, dtype=torch.bool)
    mask[0, 0, :3, :2] = mask[0, 0, 3:, 2:5] = True
    mask[1, 0, :, 1:] = True
    found = blocks_of(mask)
    assert found is not None
    assert (found.causal, found.queries) == (False, [3, 1, 4])
    keys = torch.arange(12.0).view(1, 1, 12, 1)
    seen = [part.flatten().tolist() for part in found.of_keys(keys)]
    assert seen == [[0, 1], [2, 3, 4], [7, 8, 9, 10, 11]]


@pytest.mark.parametrize("spoil", ["hole", "window", "future", "padding", "not square", "by head"])
def test_any_other_mask_is_left_alone(spoil: str) -> None:
    mask = blocks([3, 5])
    if spoil == "hole":
        mask[0, 0, 6, 4] = False
    elif spoil == "window":
        mask &= torch.ones(8, 8).triu(-2).bool()
    elif spoil == "future":
        mask[0, 0, 0, 1] = True
    elif spoil == "padding":
        mask[0, 0, :, 6:] = False
    elif spoil == "not square":
        mask = mask[:, :, 4:]
    else:
        mask = mask.expand(1, 4, 8, 8)
    assert blocks_of(mask) is None


@pytest.fixture(params=["llama", "gpt2"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A model with the usual attention, and the same document by document."""
    folder: Path = request.getfixturevalue(request.param)
    usual, apart = (AutoModelForCausalLM.from_pretrained(folder).eval() for _ in range(2))
    take_documents_apart(apart)
    assert apart.config._attn_implementation == BY_DOCUMENT
    return usual, apart


def test_packed_batch_gives_the_usual_logits_and_gradients(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def count(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
        calls.append(query.shape[2])
        return scaled_dot_product_attention(query, key, value, **options)

    monkeypatch.setattr(packed_attention, "scaled_dot_product_attention", count)
    lengths = [[9, 1, 6], [12, 4]]
    positions = torch.stack([torch.cat([torch.arange(n) for n in line]) for line in lengths])
    ids = torch.randint(5, 250, (2, 16), generator=torch.Generator().manual_seed(0))
    results = []
    for model in pair:
        logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits
        logits.square().sum().backward()
        results.append([logits.detach(), *(p.grad for p in model.parameters())])
    assert calls == 2 * [9, 1, 6, 12, 4], "once for each layer and document"
    for usual, apart in zip(*results, strict=True):
        torch.testing.assert_close(apart, usual, rtol=1e-4, atol=1e-4)
    assert keeps_rows_apart(pair[1])


def test_padded_batch_and_generation_are_as_usual(pair: tuple[Any, Any]) -> None:
    ids = torch.randint(5, 250, (2, 10), generator=torch.Generator().manual_seed(1))
    used = torch.tensor([[1] * 10, [0] * 4 + [1] * 6])
    usual, apart = (model(input_ids=ids, attention_mask=used).logits[used == 1] for model in pair)
    torch.testing.assert_close(apart, usual)
    options: dict[str, Any] = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}
    usual, apart = (m.generate(input_ids=ids, attention_mask=used, **options) for m in pair)
    assert torch.equal(usual, apart)


def test_choice_is_not_saved(pair: tuple[Any, Any], tmp_path: Path) -> None:
    pair[1].save_pretrained(tmp_path)
    assert BY_DOCUMENT not in (tmp_path / "config.json").read_text()


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize("padded", [True, False], ids=["padded", "full"])
def test_a_batch_in_training_gets_the_usual_gradients(
    family: str, padded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Attend] = []

    def note(how: Attend, *states: Tensor) -> Tensor:
        calls.append(how)
        return attention(how, *states)

    monkeypatch.setattr(packed_attention, "attention", note)
    model = AutoModel.from_pretrained(FAMILIES[family](tmp_path)).train()
    drop_next_to_nothing(model)
    usual = states_and_gradients(model, padded=padded)
    assert not calls
    take_documents_apart(model)
    own = states_and_gradients(model, padded=padded)
    assert calls
    for mine, other in zip(own, usual, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def drop_next_to_nothing(model: torch.nn.Module) -> None:
    """The way of dropout, and yet a result that can be compared."""
    for module in model.modules():
        for name in ("p", "dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 1e-9)


def states_and_gradients(model: Any, *, padded: bool) -> list[Tensor | None]:
    ids = torch.randint(5, 60, (2, 7), generator=torch.Generator().manual_seed(0))
    used = torch.ones_like(ids)
    if padded:
        used[0, 4:] = 0
    inputs = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
    states = model(input_ids=ids, attention_mask=used, **inputs)[0][used == 1]
    model.zero_grad()
    states.square().sum().backward()
    return [states.detach(), *(p.grad for p in model.parameters())]
