"""Packed attention on a CPU: scaled dot products document by document.

A packed batch has a mask of blocks: causal ones where a model writes on, whole ones where it reads
or looks from what it writes at what it read. With the mask, scaled dot product attention still
works through whole sequences, most of them invisible; here it is called for each block, without.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.weak import WeakIdKeyDictionary
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

BY_DOCUMENT = "sdpa_by_document"
NOT_SERVED = ("softcap", "cache")


def take_documents_apart(model: PreTrainedModel) -> None:
    """Let a model on a CPU attend document by document, where it is free to choose."""
    if model.device.type == "cpu" and model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(BY_DOCUMENT)


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

    Where the mask is no chain of blocks, or a model wants more, it is the usual one.
    """
    served = all(options.get(name) is None for name in NOT_SERVED)
    blocks = blocks_of(attention_mask) if attention_mask is not None and served else None
    if blocks is None:
        usual: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **options
        )
        return usual
    biases = blocks.biases(options.get("position_bias"))
    options = {"dropout_p": dropout, "scale": scaling}
    options["enable_gqa"] = key.shape[1] != query.shape[1]
    queries = torch.split(in_a_row(query), blocks.queries, dim=2)
    keys, values = (blocks.of_keys(in_a_row(states)) for states in (key, value))
    attended = [
        scaled_dot_product_attention(
            q, k, v, attn_mask=bias, is_causal=blocks.causal and bias is None, **options
        ).transpose(1, 2)
        for q, k, v, bias in zip(queries, keys, values, biases, strict=True)
    ]
    rows = torch.cat(attended, 1)
    return rows.view(len(query), -1, *rows.shape[2:]), None


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
        self.lines, self.queries, self.width = lines, queries, width
        self.causal = False
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
        self.ends = ends
        self.known: dict[int, list[Tensor]] = {}

    def of_keys(self, states: Tensor) -> list[Tensor]:
        pieces = torch.split(states, self.pieces, dim=2)
        return [pieces[place] for place in self.places]

    def biases(self, bias: Tensor | None) -> list[Any]:
        """The part of a position bias [1, heads, queries, keys] that each block has. All layers
        share a bias, and so what is cut out of it."""
        if bias is None:
            return [None] * len(self.queries)
        if id(bias) not in self.known:
            self.known[id(bias)] = [*self.cut(bias)]
        return self.known[id(bias)]

    def cut(self, bias: Tensor) -> list[Tensor]:
        """Split along both sides: the gradient is then put together once, not once a block."""
        found, start = [], 0
        while start < len(self.lines):
            stop = start + self.lines[start:].count(self.lines[start])
            lengths = self.queries[start:stop]
            for number, rows in enumerate(torch.split(bias, lengths, dim=2), start):
                size = self.pieces[self.places[number]]
                begin = self.ends[number] - size
                sides = [begin, size, bias.shape[3] - begin - size]
                _, own, _ = torch.split(rows, sides, dim=3)
                found.append(self.masked(own))
            start = stop
        return found

    def masked(self, bias: Tensor) -> Tensor:
        if not self.causal:
            return bias
        later = torch.ones(bias.shape[2:], dtype=torch.bool, device=bias.device).triu(1)
        return bias.masked_fill(later, torch.finfo(bias.dtype).min)


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
