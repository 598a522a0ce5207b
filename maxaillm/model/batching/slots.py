"""Key-value cache in slots: a row of positions for each answer, one pair of tensors a layer."""

from __future__ import annotations

import torch
from torch import Tensor

LENGTH_STEP = 64
"""Slots are lengthened by so many positions at least: each time copies what they hold."""


class Slots:
    """Keys and values of each layer, [slots, heads, positions, size]. What is in use lies in the
    first slots, so that the keys of all answers are a view and never gathered.

    Layers are made as attention first asks for them: their sizes are those of what it brings.
    """

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}
        self.count, self.length = 0, 0

    def of(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The tensors of a layer, for new keys and values [heads, tokens, size]."""
        held = self.layers.get(layer)
        if held is None:
            held = self.layers[layer] = (self.room_for(key), self.room_for(value))
        return held

    def room_for(self, states: Tensor) -> Tensor:
        heads, _, size = states.shape
        return states.new_zeros(self.count, heads, self.length, size)

    @property
    def position_bytes(self) -> int:
        """What one position of one slot takes in all layers; 0 before the first pass."""
        pairs = self.layers.values()
        return sum(t.shape[1] * t.shape[3] * t.element_size() for pair in pairs for t in pair)

    def reserve(self, count: int, length: int) -> None:
        """Have so many slots of so many positions at least."""
        if count <= self.count and length <= self.length:
            return
        self.resize(*self.size_for(count, length))

    def size_for(self, count: int, length: int) -> tuple[int, int]:
        """Slots and positions there will be once `reserve` was called: a power of two of slots."""
        slots = self.count if count <= self.count else 1 << (count - 1).bit_length()
        return slots, max(self.length, -(-length // LENGTH_STEP) * LENGTH_STEP)

    def resize(self, count: int, length: int) -> None:
        kept, seen = min(count, self.count), min(length, self.length)
        self.count, self.length = count, length
        for layer, pair in self.layers.items():
            made = []
            for old in pair:
                new = old.new_zeros(count, old.shape[1], length, old.shape[3])
                new[:kept, :, :seen] = old[:kept, :, :seen]
                made.append(new)
            self.layers[layer] = (made[0], made[1])

    def clear(self) -> None:
        """Give all memory back."""
        self.count = self.length = 0
        self.layers = {
            layer: (pair[0].new_empty(0, pair[0].shape[1], 0, pair[0].shape[3]),
                    pair[1].new_empty(0, pair[1].shape[1], 0, pair[1].shape[3]))
            for layer, pair in self.layers.items()
        }  # fmt: skip

    def copy(self, source: int, target: int, length: int) -> None:
        """The first positions of one slot into another one."""
        for pair in self.layers.values():
            for states in pair:
                states[target, :, :length] = states[source, :, :length]

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange the first positions of two slots."""
        if one == other:
            return
        for pair in self.layers.values():
            for states in pair:
                both = states[[other, one], :, :length]
                states[one, :, :length], states[other, :, :length] = both[0], both[1]


def additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask of who is seen as what is added to scores."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(
        ~seen, float("-inf")
    )
