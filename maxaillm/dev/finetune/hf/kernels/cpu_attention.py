"""Attention on a CPU where torch's flash kernel does not serve: under dropout, or with a bias.

What torch does instead keeps several floats for each pair of positions that see each other, in
each head. Here one bit is kept, of the dropout; scores and shares are made again for the gradient
(as in Dao et al. 2022). All is computed in fp32, or wider where the states are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import torch
from torch import Tensor

from maxaillm.dev.finetune.hf.kernels.cpu_dropout import Mask, draw_kept, scale_of
from maxaillm.dev.finetune.hf.kernels.likelihood_loss import widened

WHOLE = slice(None)


class Part(NamedTuple):
    """Positions that see each other: where they lie in a sequence, and in a bias by positions."""

    queries: slice = WHOLE
    keys: slice = WHOLE
    rows: slice = WHOLE
    columns: slice = WHOLE

    def of(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        places = (self.queries, self.keys, self.keys)
        states = zip((query, key, value), places, strict=True)
        return [widened(of[:, :, place]) for of, place in states]

    def of_bias(self, bias: Tensor | None) -> Tensor | None:
        return None if bias is None else bias[:, :, self.rows, self.columns]


class Attend(NamedTuple):
    """How it is attended. `dropout`: the share of the softmax that is dropped; `causal`: in each
    part, nobody sees what is later; `seen`: who is seen, where not all are, [batch, 1, queries,
    keys] of one part."""

    scale: float = 1.0
    dropout: float = 0.0
    causal: bool = False
    parts: Sequence[Part] = (Part(),)
    seen: Tensor | None = None

    def shares(self, query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
        """The softmax of the scores, [batch, heads, queries, keys]: how much each sees of each."""
        scores = (query * self.scale) @ key.mT
        if bias is not None:
            scores += bias
        least = torch.finfo(scores.dtype).min
        if self.causal:
            later = torch.ones(scores.shape[2:], dtype=torch.bool).triu_(1)
            scores.masked_fill_(later, least)
        if self.seen is None:
            return scores.softmax(-1)
        shares = scores.masked_fill_(~self.seen, least).softmax(-1)
        blind = ~self.seen.any(3, keepdim=True)
        return shares.masked_fill_(blind, 0) if blind.any() else shares


class Attention(torch.autograd.Function):
    """Of states [batch, heads, positions, size], attention [batch, positions, heads, size].

    Each query is in one part, each key in one at most.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, how: Attend
    ) -> Tensor:
        batch, heads, positions, _ = query.shape
        attended = query.new_empty(batch, positions, heads, value.shape[3])
        drawn: list[Mask] = []
        for part in how.parts:
            with single_precision():
                q, k, v = part.of(query, key, value)
                shares = how.shares(q, k, part.of_bias(bias))
                if how.dropout:
                    kept = draw_kept(shares.shape, how.dropout)
                    shares.mul_(kept.to(shares.dtype)).mul_(scale_of(how.dropout))
                    drawn.append(Mask.of(kept))
                attended[:, part.queries] = (shares @ v).transpose(1, 2)
        ctx.how, ctx.shapes = how, [mask.shape for mask in drawn]
        ctx.save_for_backward(query, key, value, bias, *(mask.bits for mask in drawn))
        return attended

    @staticmethod
    def backward(ctx: Any, *outward: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, bias, *bits = ctx.saved_tensors
        how: Attend = ctx.how
        by_query, by_key, by_value = (torch.zeros_like(states) for states in (query, key, value))
        by_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        masks = [Mask(*drawn) for drawn in zip(bits, ctx.shapes, strict=True)]
        for part, mask in zip_longest(how.parts, masks):
            with single_precision():
                q, k, v = part.of(query, key, value)
                outer = widened(outward[0][:, part.queries].transpose(1, 2))
                shares = how.shares(q, k, part.of_bias(bias))
                passed, by_scores = shares, outer @ v.mT
                if mask is not None:
                    kept = mask.kept().to(shares.dtype).mul_(scale_of(how.dropout))
                    by_scores *= kept
                    passed = kept.mul_(shares)
                by_value[:, :, part.keys] = passed.mT @ outer
                by_scores -= (by_scores * shares).sum(-1, keepdim=True)
                by_scores *= shares
                by_query[:, :, part.queries] = (by_scores @ k).mul_(how.scale)
                by_key[:, :, part.keys] = (by_scores.mT @ q).mul_(how.scale)
                own = part.of_bias(by_bias)
                if own is not None:
                    own += by_scores.sum_to_size(own.shape)
        return by_query, by_key, by_value, by_bias, None


def single_precision() -> torch.autocast:
    """Within, mixed precision does not make half of it."""
    return torch.autocast("cpu", enabled=False)


def attention(
    how: Attend, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Of queries [batch, heads, positions, size], attention [batch, positions, heads, size]; keys
    and values may have fewer heads, each for several of the queries'."""
    if key.shape[1] != query.shape[1]:
        times = query.shape[1] // key.shape[1]
        key, value = (states.repeat_interleave(times, 1) for states in (key, value))
    attended: Tensor = Attention.apply(query, key, value, bias, how)  # type: ignore[no-untyped-call]
    return attended
