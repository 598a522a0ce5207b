"""Packed attention on a CPU: scaled dot products document by document.

A packed batch has a mask of blocks: causal ones where a model writes on, whole ones where it reads
or looks from what it writes at what it read. With the mask, scaled dot product attention still
works through whole sequences, most of them invisible; here it is called for each block, without.
Where it would keep much for the gradient, under dropout or with a trained bias, `cpu_attention`
takes its place.
"""

from __future__ import annotations

import inspect
import sys
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.weak import WeakIdKeyDictionary
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from maxaillm.dev.finetune.hf.kernels.cpu_attention import Attend, Part, attention

BY_DOCUMENT = "sdpa_by_document"
NOT_SERVED = ("softcap", "cache")


def take_documents_apart(model: PreTrainedModel) -> None:
    """Let a model on a CPU attend by `attend`, where it is free to choose."""
    is_free = model.device.type == "cpu" and model.config._attn_implementation == "sdpa"
    if is_free and not asks_by_name(model):
        model.set_attn_implementation(BY_DOCUMENT)


def asks_by_name(model: PreTrainedModel) -> bool:
    """Whether the model's code asks if its attention is torch's: another would be a path of its
    own there."""
    return '"sdpa"' in inspect.getsource(sys.modules[type(model).__module__])


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Of states [batch, heads, positions, size], attention [batch, positions, heads, size].

    Where the mask is no chain of blocks, and torch's own keeps little for the gradient, or a model
    wants more, it is the usual one.
    """
    bias = options.get("position_bias")
    served = all(options.get(name) is None for name in NOT_SERVED)
    if served and not torch.compiler.is_compiling():  # a compiler could not look into ours
        scale = query.shape[3] ** -0.5 if scaling is None else scaling
        blocks = None if attention_mask is None else blocks_of(attention_mask)
        if blocks is not None and (bias is None or len(bias) == 1):
            return by_block(query, key, value, bias, blocks, dropout, scale), None
        if query.is_cpu and torch.is_grad_enabled() and (dropout or is_trained(bias)):
            how = as_a_whole(module, query, key, attention_mask, **options)
            if how is not None:
                how = how._replace(scale=scale, dropout=dropout)
                return attention(how, query, key, value, bias), None
    usual: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout, scaling, **options
    )
    return usual


def is_trained(bias: Tensor | None) -> bool:
    return bias is not None and bias.requires_grad


def as_a_whole(
    module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, **options: Any
) -> Attend | None:
    """How all is attended in one part, as transformers would have it; None where not at all."""
    if mask is not None:
        return Attend(seen=mask) if mask.dtype == torch.bool else None
    causal = options.get("is_causal")
    if causal is None:
        causal = bool(getattr(module, "is_causal", True))
    return None if causal and query.shape[2] != key.shape[2] else Attend(causal=causal)


def by_block(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    blocks: Blocks,
    dropout: float,
    scale: float,
) -> Tensor:
    """Attention of each block by itself."""
    lines, query = len(query), in_a_row(query)
    key, value = in_a_row(key), in_a_row(value)
    if dropout or bias is not None:
        how = Attend(scale, dropout, blocks.causal, blocks.parts)
        rows = attention(how, query, key, value, bias)
    else:
        options: dict[str, Any] = {"scale": scale, "enable_gqa": key.shape[1] != query.shape[1]}
        queries = torch.split(query, blocks.queries, dim=2)
        states = zip(queries, blocks.of_keys(key), blocks.of_keys(value), strict=True)
        attended = [
            scaled_dot_product_attention(q, k, v, is_causal=blocks.causal, **options)
            for q, k, v in states
        ]
        rows = torch.cat([part.transpose(1, 2) for part in attended], 1)
    return rows.view(lines, -1, *rows.shape[2:])


def in_a_row(states: Tensor) -> Tensor:
    """The sequences of a batch one behind the other: [1, heads, batch * positions, size]."""
    return states.transpose(1, 2).flatten(0, 1).transpose(0, 1).unsqueeze(0)


class Blocks:
    """What there is to a mask [lines, queries, keys]: who sees what, block by block.

    `queries`: the lengths of the blocks, of all lines one behind the other. `pieces`: the keys
    the same way, cut where a block begins or ends; those of block n are the piece `places[n]`.
    """

    def __init__(
        self, lines: list[int], queries: list[int], begins: list[int], ends: list[int], width: int
    ) -> None:
        self.queries, self.causal = queries, False
        self.height = sum(queries) // (lines[-1] + 1)  # the queries of a line
        self.pieces: list[int] = []
        self.places: list[int] = []
        at = 0
        for line, begin, end in zip(lines, begins, ends, strict=True):
            gap = line * width + begin - at
            self.pieces += [gap, end - begin] if gap else [end - begin]
            self.places.append(len(self.pieces) - 1)
            at += gap + end - begin
        rest = (lines[-1] + 1) * width - at
        self.pieces += [rest] if rest else []
        sides = zip(queries, lines, begins, ends, accumulate([0, *queries]), strict=False)
        self.parts = [
            Part(
                slice(start, start + count),
                slice(line * width + begin, line * width + end),
                slice(start - line * self.height, start - line * self.height + count),
                slice(begin, end),
            )
            for count, line, begin, end, start in sides
        ]

    def of_keys(self, states: Tensor) -> list[Tensor]:
        pieces = torch.split(states, self.pieces, dim=2)
        return [pieces[place] for place in self.places]


known: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""Mask -> its blocks: all layers of a model share a mask."""


def blocks_of(mask: Tensor) -> Blocks | None:
    """The blocks that are all there is to `mask`, [batch, 1, queries, keys]; None where it is
    anything else."""
    if mask not in known:
        known[mask] = find_blocks(mask)
    found: Blocks | None = known[mask]
    return found


def find_blocks(mask: Tensor) -> Blocks | None:
    if mask.dtype != torch.bool or mask.shape[1] != 1 or mask.shape[2] == 1:
        return None
    seen = mask.squeeze(1)
    first = seen.to(torch.uint8).argmax(2)  # the first position that each one sees
    causal = is_causal(seen, first)
    last = first if causal else first + seen.sum(2)
    if not causal and not sees_ranges(seen, first, last):
        return None
    new = torch.ones_like(first, dtype=torch.bool)
    new[:, 1:] = (first[:, 1:] != first[:, :-1]) | (last[:, 1:] != last[:, :-1])
    begins = new.flatten().nonzero().flatten()
    ends = torch.cat([begins[1:], begins.new_full((1,), new.numel())])
    lengths, lines = (ends - begins).tolist(), (begins // new.shape[1]).tolist()
    key_begins = first[new].tolist()
    key_ends = [b + n for b, n in zip(key_begins, lengths, strict=True)]
    key_ends = key_ends if causal else last[new].tolist()
    if not are_apart(lines, key_begins, key_ends):
        return None
    blocks = Blocks(lines, lengths, key_begins, key_ends, seen.shape[2])
    blocks.causal = causal
    return blocks


def is_causal(seen: Tensor, first: Tensor) -> bool:
    if seen.shape[1] != seen.shape[2]:
        return False
    return torch.equal((first.unsqueeze(2) == first.unsqueeze(1)).tril_(), seen)


def sees_ranges(seen: Tensor, first: Tensor, last: Tensor) -> bool:
    """Whether each query sees some keys, one behind the other."""
    keys = torch.arange(seen.shape[2], device=seen.device)
    ranges = (keys >= first.unsqueeze(2)) & (keys < last.unsqueeze(2))
    return bool((last > first).all()) and torch.equal(ranges, seen)


def are_apart(lines: list[int], begins: list[int], ends: list[int]) -> bool:
    """Whether no key is seen from two blocks, and later blocks see later keys."""
    pairs = zip(lines, lines[1:], begins[1:], ends, strict=False)
    return all(line != after or end <= begin for line, after, begin, end in pairs)


AttentionInterface.register(BY_DOCUMENT, attend)
AttentionMaskInterface.register(BY_DOCUMENT, sdpa_mask)
