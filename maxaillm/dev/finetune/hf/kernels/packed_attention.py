"""Packed attention on a CPU: scaled dot products document by document.

A packed batch has a mask of causal blocks. With it, scaled dot product attention still works
through whole sequences, most of them invisible; here it is called for each block, without a mask.
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
NOT_SERVED = ("position_bias", "softcap", "cache")


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

    Where the mask is no chain of causal blocks, or a model wants more, it is the usual one.
    """
    served = all(options.get(name) is None for name in NOT_SERVED)
    lengths = block_lengths(attention_mask) if attention_mask is not None and served else None
    if lengths is None:
        usual: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **options
        )
        return usual
    options = {"dropout_p": dropout, "scale": scaling, "is_causal": True}
    options["enable_gqa"] = key.shape[1] != query.shape[1]
    queries, keys, values = (
        torch.split(in_a_row(states), lengths, dim=2) for states in (query, key, value)
    )
    attended = [
        scaled_dot_product_attention(q, k, v, **options).transpose(1, 2)
        for q, k, v in zip(queries, keys, values, strict=True)
    ]
    rows = torch.cat(attended, 1)
    return rows.view(len(query), -1, *rows.shape[2:]), None


def in_a_row(states: Tensor) -> Tensor:
    """The sequences of a batch one behind the other: [1, heads, batch * positions, size]."""
    return states.transpose(1, 2).flatten(0, 1).transpose(0, 1).unsqueeze(0)


known: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""Mask -> its block lengths: all layers of a model share a mask."""


def block_lengths(mask: Tensor) -> list[int] | None:
    """The lengths of the causal blocks that are all there is to `mask`, [batch, 1, queries, keys];
    None where it is anything else."""
    if mask not in known:
        known[mask] = find_blocks(mask)
    found: list[int] | None = known[mask]
    return found


def find_blocks(mask: Tensor) -> list[int] | None:
    if mask.dtype != torch.bool or mask.shape[1] != 1 or mask.shape[2] != mask.shape[3]:
        return None
    seen = mask.squeeze(1)
    first = seen.to(torch.uint8).argmax(2)  # the first position that each one sees
    blocks = (first.unsqueeze(2) == first.unsqueeze(1)).tril_()
    if not torch.equal(blocks, seen):
        return None
    begins = (first == torch.arange(mask.shape[3], device=mask.device)).flatten().nonzero()
    ends = torch.cat([begins[1:], begins.new_full((1, 1), first.numel())])
    lengths: list[int] = (ends - begins).flatten().tolist()
    return lengths


AttentionInterface.register(BY_DOCUMENT, attend)
AttentionMaskInterface.register(BY_DOCUMENT, sdpa_mask)
