"""Attention with dropout and a trained bias is torch's own; it drops shares of the softmax."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from maxaillm.dev.finetune.hf.kernels import cpu_attention
from maxaillm.dev.finetune.hf.kernels.cpu_attention import Attend, Part, attention
from maxaillm.dev.finetune.hf.kernels.cpu_dropout import draw_kept

PARTS = (
    Part(slice(0, 3), slice(1, 3), slice(0, 3), slice(1, 3)),
    Part(slice(3, 7), slice(3, 8), slice(3, 7), slice(3, 8)),
)
"""Of 7 queries and 9 keys, the first and last of which nobody sees."""


def states(keys: int = 9, heads: int = 2, dtype: torch.dtype = torch.double) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = [(2, 4, 7, 5), (2, heads, keys, 5), (2, heads, keys, 6), (1, 4, 7, keys)]
    return [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]


def seen_by(how: Attend, keys: int) -> Tensor:
    """The mask that says the same."""
    if how.seen is not None:
        return how.seen
    seen = torch.zeros(2, 1, 7, keys, dtype=torch.bool)
    for part in how.parts:
        seen[:, :, part.queries, part.keys] = True
    return seen.tril() if how.causal else seen


BLIND = torch.ones(2, 1, 7, 9, dtype=torch.bool)
BLIND[0, 0, 2] = BLIND[1, 0, :, 4:] = False
HOWS = {
    "whole": (Attend(0.3), 9),
    "causal": (Attend(0.3, causal=True), 7),
    "parts": (Attend(0.3, parts=PARTS), 9),
    "mask": (Attend(0.3, seen=BLIND), 9),
}


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("name", HOWS)
def test_without_dropout_it_is_torchs(name: str, biased: bool) -> None:
    how, keys = HOWS[name]
    query, key, value, bias = states(keys)
    mask: Any = seen_by(how, keys)
    if biased:
        mask = bias.expand(2, -1, -1, -1).masked_fill(~mask, -torch.inf)
    wanted = [query, key, value, bias] if biased else [query, key, value]
    usual = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=0.3, enable_gqa=True
    ).transpose(1, 2)
    made = attention(how, query, key, value, bias if biased else None)
    torch.testing.assert_close(made, usual)
    outer = torch.randn_like(made)
    gradients = (torch.autograd.grad(result, wanted, outer) for result in (made, usual))
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("name", HOWS)
def test_gradients_are_those_of_what_was_kept(name: str) -> None:
    how, keys = HOWS[name]

    def always_alike(*inputs: Tensor) -> Tensor:
        torch.manual_seed(1)
        return attention(how._replace(dropout=0.4), *inputs)

    assert torch.autograd.gradcheck(always_alike, states(keys))


def test_dropout_drops_shares_of_the_softmax(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []

    def note(shape: torch.Size, share: float) -> Tensor:
        drawn.append(draw_kept(shape, share))
        return drawn[-1]

    monkeypatch.setattr(cpu_attention, "draw_kept", note)
    query, key, value, bias = states(heads=4)
    made = attention(Attend(0.3, dropout=0.5), query, key, value, bias)
    shares = ((query * 0.3) @ key.mT + bias).softmax(-1)
    torch.testing.assert_close(made.transpose(1, 2), shares * drawn[0] * 2 @ value)


def test_half_precision_is_computed_in_single() -> None:
    query, key, value, bias = states(dtype=torch.bfloat16)
    made = attention(Attend(0.3), query, key, value, bias)
    exact = [tensor.detach().float().requires_grad_() for tensor in (query, key, value, bias)]
    usual = attention(Attend(0.3), *exact)
    assert made.dtype == torch.bfloat16
    torch.testing.assert_close(made, usual.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(attention(Attend(0.3), *exact), usual)
