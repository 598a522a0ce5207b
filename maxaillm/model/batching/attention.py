"""Attention of a flattened batch: one new token of each live answer, then pieces of prompts.

Registered with transformers as an attention function, so that no line of model code is copied
(https://huggingface.co/docs/transformers/attention_interface). It has no mask function: then
transformers makes no mask. What it needs to know of the batch lies in `current`, a thread's own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.model.batching.slots import Slots, additive

if TYPE_CHECKING:
    from maxaillm.model.batching.adapters import AdapterSpans

NAME = "maxft_batch"
HARMLESS = frozenset({"position_ids", "use_cache", "cache_position", "output_attentions"})
"""What models hand down to attention that changes nothing of it."""


class UnbatchableError(ModelError):
    """A model, or an adapter, that can't answer in a batch: it answers one after the other."""

    code = "unbatchable"


class Piece(NamedTuple):
    """Tokens of one prompt in a batch: how many, from which position on, in which slot."""

    slot: int
    start: int
    size: int


class Batch:
    """What lies where in one forward pass: `positions` of the live answers, which are in slots 0,
    1, …, one token each; then `pieces` of prompts, token by token."""

    def __init__(
        self,
        slots: Slots,
        positions: Sequence[int],
        pieces: Sequence[Piece] = (),
        adapters: AdapterSpans | None = None,
    ) -> None:
        self.slots, self.positions, self.pieces = slots, positions, pieces
        self.adapters = adapters
        self.live = len(positions)
        self.tokens = self.live + sum(piece.size for piece in pieces)
        self.longest = max(positions, default=-1) + 1
        self.places: Tensor | None = None
        self.masks: dict[tuple[int | None, int], Tensor | None] = {}
        self.layers_seen: set[int] = set()

    def attend(
        self, layer: int, states: tuple[Tensor, Tensor, Tensor], scale: float | None, window: int
    ) -> Tensor:
        """Attention [tokens, heads, size] of query, key and value [heads, tokens, size]. `window`:
        how many positions each sees, itself included; 0: all."""
        self.layers_seen.add(layer)
        query, key, value = states
        keys, values = self.slots.of(layer, key, value)
        made = []
        if self.live == 1 and not self.pieces:
            return self.single(query, (key, value), (keys, values), scale, window)
        if self.live:
            new = (key[:, : self.live], value[:, : self.live])
            made.append(self.answers(query[:, : self.live], new, (keys, values), scale, window))
        at = self.live
        for number, piece in enumerate(self.pieces):
            part = slice(at, at + piece.size)
            own = (query[:, part], key[:, part], value[:, part])
            made.append(self.prompt(number, own, (keys, values), scale, window))
            at += piece.size
        return made[0] if len(made) == 1 else torch.cat(made)

    def single(
        self,
        query: Tensor,
        new: tuple[Tensor, Tensor],
        held: tuple[Tensor, Tensor],
        scale: float | None,
        window: int,
    ) -> Tensor:
        """The short way of a lone answer: no mask, no index."""
        end = self.positions[0] + 1
        start = max(0, end - window) if window else 0
        keys, values = held
        keys[0, :, end - 1], values[0, :, end - 1] = new[0][:, 0], new[1][:, 0]
        grouped = query.view(1, keys.shape[1], -1, query.shape[-1])
        found: Tensor = scaled_dot_product_attention(
            grouped, keys[:1, :, start:end], values[:1, :, start:end], scale=scale
        )
        return found.reshape(1, query.shape[0], -1)

    def answers(
        self,
        query: Tensor,
        new: tuple[Tensor, Tensor],
        held: tuple[Tensor, Tensor],
        scale: float | None,
        window: int,
    ) -> Tensor:
        """Heads that share keys are queries of those, so that nothing is repeated."""
        keys, values = held
        if self.places is None:
            self.places = torch.tensor(self.positions, device=query.device)
            self.rows = torch.arange(self.live, device=query.device)
        keys[self.rows, :, self.places] = new[0].transpose(0, 1)
        values[self.rows, :, self.places] = new[1].transpose(0, 1)
        grouped = query.transpose(0, 1).reshape(self.live, keys.shape[1], -1, query.shape[-1])
        found: Tensor = scaled_dot_product_attention(
            grouped,
            keys[: self.live, :, : self.longest],
            values[: self.live, :, : self.longest],
            attn_mask=self.mask_of_answers(window, query.dtype),
            scale=scale,
        )
        return found.reshape(self.live, query.shape[0], -1)

    def mask_of_answers(self, window: int, dtype: torch.dtype) -> Tensor | None:
        if (None, window) not in self.masks:
            assert self.places is not None
            last = self.places[:, None]
            at = torch.arange(self.longest, device=last.device)
            seen = at <= last
            if window:
                seen &= at > last - window
            is_whole = not window and min(self.positions) + 1 == self.longest
            mask = None if is_whole else additive(seen, dtype)[:, None, None]
            self.masks[None, window] = mask
        return self.masks[None, window]

    def prompt(
        self,
        number: int,
        states: tuple[Tensor, Tensor, Tensor],
        held: tuple[Tensor, Tensor],
        scale: float | None,
        window: int,
    ) -> Tensor:
        query, key, value = states
        slot, start, count = self.pieces[number]
        end = start + count
        keys, values = held
        keys[slot, :, start:end], values[slot, :, start:end] = key, value
        if start:
            key, value = keys[slot, :, :end], values[slot, :, :end]
        mask = self.mask_of_prompt(number, window, query)
        found: Tensor = scaled_dot_product_attention(
            query[None],
            key[None],
            value[None],
            attn_mask=mask,
            is_causal=mask is None,
            scale=scale,
            enable_gqa=key.shape[0] != query.shape[0],
        )
        return found[0].transpose(0, 1)

    def mask_of_prompt(self, number: int, window: int, query: Tensor) -> Tensor | None:
        """None: each sees all before it, and the piece begins its prompt."""
        if (number, window) not in self.masks:
            _, start, count = self.pieces[number]
            mask = None
            if start or (window and count > window):
                last = torch.arange(start, start + count, device=query.device)[:, None]
                at = torch.arange(start + count, device=query.device)
                seen = at <= last
                if window:
                    seen &= at > last - window
                mask = additive(seen, query.dtype)
            self.masks[number, window] = mask
        return self.masks[number, window]


class Current(threading.local):
    """The batch that this thread is at."""

    batch: Batch | None = None


current = Current()


@contextmanager
def working_on(batch: Batch) -> Iterator[None]:
    current.batch = batch
    try:
        yield
    finally:
        current.batch = None


def attention(  # noqa: PLR0913, PLR0917 - as transformers calls it
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    is_causal: bool | None = None,  # noqa: FBT001
    **others: Any,
) -> tuple[Tensor, None]:
    """What transformers calls in each layer. Raises UnbatchableError for what it does not know."""
    batch = current.batch
    assert batch is not None
    said = (name for name, value in others.items() if value is not None and value is not False)
    unknown = [name for name in said if name not in HARMLESS]
    if unknown or attention_mask is not None or is_causal is False:
        raise UnbatchableError(
            f"Attention with {unknown[0] if unknown else 'a mask of its own'} is not batched.",
            "Ask one after the other.",
        )
    states = (query[0], key[0], value[0])
    return batch.attend(module.layer_idx, states, scaling, sliding_window or 0)[None], None


AttentionInterface.register(NAME, attention)
