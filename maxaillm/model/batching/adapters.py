"""Many LoRA adapters on one base in one forward pass.

A layer's new tokens, one of each answer, go through the factors of all answers' adapters at once,
and a mask keeps to each token its own columns: two products, whatever the number of adapters
(compare Chen et al. 2023, "Punica", and Sheng et al. 2023, "S-LoRA"). Where all have one adapter,
and for prompts, the adapter's own factors are taken.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from maxaillm.model.batching.adapter_files import Factors, LoraAdapter
from maxaillm.model.batching.attention import UnbatchableError, current

SPARE_STACKED = 4
"""So many adapters without an answer may stay in the stack before it is made anew."""


class Span(NamedTuple):
    """Tokens of one prompt, or of answers that share an adapter."""

    start: int
    end: int
    adapter: str


class AdapterSpans(NamedTuple):
    """Which tokens of a batch go through which adapter: those of `spans` by its own factors, the
    first `mixed` by the stack, of which `mask` [mixed, columns] leaves each its adapter's."""

    spans: Sequence[Span]
    mixed: int = 0
    mask: Tensor | None = None


class AdaptedLayer:
    """A linear layer with the factors of the adapters that change it."""

    def __init__(self, module: nn.Module, inputs: int) -> None:
        self.inputs = inputs
        self.forward = module.forward
        self.factors: dict[str, Factors] = {}
        self.stack: Factors | None = None

    def __call__(self, values: Tensor) -> Tensor:
        made: Tensor = self.forward(values)
        batch = current.batch
        if batch is None or batch.adapters is None:
            return made
        flat = values.reshape(-1, self.inputs)
        if len(flat) != batch.tokens:
            raise UnbatchableError(
                "An adapted layer does not see every token.", "Ask one after the other."
            )
        into = made.view(len(flat), -1)
        for start, end, adapter in batch.adapters.spans:
            own = self.factors.get(adapter)
            if own is not None:
                add_product(into[start:end], flat[start:end], own)
        if batch.adapters.mixed and self.stack is not None:
            mixed = batch.adapters.mixed
            add_product(into[:mixed], flat[:mixed], self.stack, batch.adapters.mask)
        return made

    def restack(self, adapters: Sequence[str], ranks: Sequence[int]) -> None:
        """Lay the factors of these adapters side by side, each as wide as its rank at most."""
        known = next((self.factors[name] for name in adapters if name in self.factors), None)
        self.stack = None
        if known is None:
            return
        columns = [sum(ranks[:number]) for number in range(len(ranks))]
        a = known.a.new_zeros(sum(ranks), known.a.shape[1])
        b = known.b.new_zeros(sum(ranks), known.b.shape[1])
        for name, at in zip(adapters, columns, strict=True):
            if own := self.factors.get(name):
                a[at : at + len(own.a)], b[at : at + len(own.b)] = own.a, own.b
        self.stack = Factors(a, b)


def add_product(into: Tensor, values: Tensor, by: Factors, mask: Tensor | None = None) -> None:
    inner = values.to(by.a.dtype) @ by.a.T
    if mask is not None:
        inner *= mask
    if into.dtype == by.b.dtype:
        into.addmm_(inner, by.b)
    else:
        into += (inner @ by.b).to(into.dtype)


class AdapterPool:
    """The adapters that lie on a base, the longest unused first, within `budget_bytes`."""

    def __init__(self, model: nn.Module, budget_bytes: int) -> None:
        self.model, self.budget_bytes = model, budget_bytes
        self.layers: dict[str, AdaptedLayer] = {}
        self.held: OrderedDict[str, LoraAdapter] = OrderedDict()
        self.stacked: list[str] = []
        self.masks: dict[tuple[str | None, ...], Tensor] = {}

    @property
    def bytes(self) -> int:
        return sum(adapter.bytes for adapter in self.held.values())

    def add(self, name: str, adapter: LoraAdapter, in_use: Collection[str]) -> None:
        """Lay an adapter on the base; those without an answer leave where memory lacks.

        Raises UnbatchableError where it changes a layer that can't be adapted here.
        """
        for path, factors in adapter.layers.items():
            self.layer(path, factors)
        for old in [old for old in self.held if old not in in_use]:
            if self.bytes + adapter.bytes <= self.budget_bytes:
                break
            self.remove(old)
        for path, factors in adapter.layers.items():
            self.layers[path].factors[name] = factors
        self.held[name] = adapter

    def remove(self, name: str) -> None:
        for path in self.held.pop(name).layers:
            self.layers[path].factors.pop(name)
        if name in self.stacked:
            self.stack(())

    def layer(self, path: str, factors: Factors) -> AdaptedLayer:
        if path not in self.layers:
            module = self.module(path, factors)
            made = self.layers[path] = AdaptedLayer(module, factors.a.shape[1])
            module.forward = made
        return self.layers[path]

    def module(self, path: str, factors: Factors) -> Any:
        """The layer at `path`, which sees every token. Raises UnbatchableError."""
        try:
            module: Any = self.model.get_submodule(path)
        except AttributeError:
            module = None
        sizes = {nn.Linear: (0, 1), Conv1D: (1, 0)}.get(type(module))
        weight: Any = getattr(module, "weight", None)
        fits = sizes is not None and tuple(weight.shape[at] for at in sizes) == (
            factors.b.shape[1],
            factors.a.shape[1],
        )
        output = getattr(self.model, "get_output_embeddings", lambda: None)()
        if not fits or module is output or ".experts" in path:
            raise UnbatchableError(
                f"An adapter that changes {path} is not batched.", "Ask one after the other."
            )
        return module

    def use(self, live: Sequence[str | None], prompts: Sequence[Span]) -> AdapterSpans | None:
        """How a batch is adapted: the live answers' adapters, and the prompts with theirs."""
        names = set(live)
        for name in (*names, *(span.adapter for span in prompts)):
            if name is not None:
                self.held.move_to_end(name)
        if names <= {None}:
            return AdapterSpans(prompts) if prompts else None
        if len(names) == 1:
            return AdapterSpans([Span(0, len(live), str(live[0])), *prompts])
        return AdapterSpans(prompts, len(live), self.mask(tuple(live)))

    def mask(self, live: tuple[str | None, ...]) -> Tensor:
        wanted = {name for name in live if name is not None}
        if not wanted <= set(self.stacked) or len(self.stacked) > 2 * len(wanted) + SPARE_STACKED:
            self.stack(sorted(wanted))
        if live not in self.masks:
            ranks = [self.rank(name) for name in self.stacked]
            owner = torch.tensor([at for at, rank in enumerate(ranks) for _ in range(rank)])
            place = {name: at for at, name in enumerate(self.stacked)}
            wants = torch.tensor([-1 if name is None else place[name] for name in live])
            some = next(iter(self.held[self.stacked[0]].layers.values())).a
            self.masks.clear()
            self.masks[live] = (wants[:, None] == owner).to(some.device, some.dtype)
        return self.masks[live]

    def stack(self, names: Sequence[str]) -> None:
        self.stacked = list(names)
        self.masks.clear()
        ranks = [self.rank(name) for name in names]
        for layer in self.layers.values():
            layer.restack(names, ranks)

    def rank(self, name: str) -> int:
        return max(len(factors.a) for factors in self.held[name].layers.values())
