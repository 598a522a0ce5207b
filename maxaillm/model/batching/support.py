"""Whether a model can be batched: it is told by what it says of itself, and by trying it."""

from __future__ import annotations

from copy import deepcopy
from inspect import signature
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from maxaillm.dev.finetune.hf.kernels.rms_norm import epsilon_of, is_rms_norm
from maxaillm.model.batching.attention import NAME, Batch, Piece, UnbatchableError, working_on
from maxaillm.model.batching.slots import Slots

TRIED = 24
"""Tokens that both ways are tried with."""
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
"""By how much the largest score may differ, of its own size; half precision has few digits."""
HALF_TOLERANCE = 0.06
LAYERS = {"full_attention", "sliding_attention"}
CHANGING_ROPE = {"dynamic", "longrope"}
"""Position embeddings that depend on the longest sequence of a batch."""
FAULTS = (TypeError, ValueError, RuntimeError, KeyError, IndexError, AttributeError, AssertionError)


def twin_of(model: Any) -> Any:
    """A model beside `model` that shares its weights and attends in batches. Raises
    UnbatchableError where that is not possible, or does not give the same scores."""
    require_known(model)
    shared: dict[int, Any] = {id(t): t for t in (*model.parameters(), *model.buffers())}
    twin = deepcopy(model, shared)
    try:
        twin.set_attn_implementation(NAME)
        use_fast_norms(twin)
        require_same(model, twin)
    except FAULTS as error:
        raise refused(f"it fails in a batch: {type(error).__name__}") from error
    return twin


def refused(why: str) -> UnbatchableError:
    return UnbatchableError(f"This model is not batched: {why}.", "It answers one by one.")


def require_known(model: Any) -> None:
    config = model.config.get_text_config()
    takes = signature(model.forward).parameters
    if config.is_encoder_decoder:
        raise refused("it has an encoder")
    if not {"position_ids", "logits_to_keep"} <= takes.keys():
        raise refused("its positions can't be told")
    kinds = set(getattr(config, "layer_types", None) or ()) - LAYERS
    if kinds:
        raise refused(f"it has layers of {min(kinds)}")
    rope = getattr(config, "rope_parameters", None) or {}
    nested = [part for part in rope.values() if isinstance(part, dict)] or [rope]
    if any(part.get("rope_type") in CHANGING_ROPE for part in nested):
        raise refused("its positions depend on the length of the whole batch")


@torch.inference_mode()
def require_same(model: Any, twin: Any) -> None:
    """Raises UnbatchableError where a few tokens get other scores in pieces, and beside others."""
    vocabulary = model.get_output_embeddings().weight.shape[0]
    tokens = [(7919 * place + 11) % vocabulary for place in range(TRIED)]
    whole = model(torch.tensor([tokens], device=model.device), use_cache=False).logits[0].float()
    slots = Slots()
    slots.reserve(2, TRIED)
    layers: set[int] = set()
    tried = [
        ([], [Piece(0, 0, 10)]),
        ([], [Piece(0, 10, 8), Piece(1, 0, 5)]),
        ([18, 5], []),
        ([19, 6], [Piece(2, 0, 3)]),
    ]
    slots.reserve(3, TRIED)
    for live, pieces in tried:
        batch = Batch(slots, live, pieces)
        places = [*live, *(p.start + n for p in pieces for n in range(p.size))]
        found = scores(twin, batch, tokens, places)
        require_close(found, whole[places], model.dtype)
        layers |= batch.layers_seen
    lone = Batch(slots, [20])
    require_close(scores(twin, lone, tokens, [20]), whole[[20]], model.dtype)
    if len(layers) != model.config.get_text_config().num_hidden_layers:
        raise refused("not every layer attends")


def scores(twin: Any, batch: Batch, tokens: list[int], places: list[int]) -> Tensor:
    ids = torch.tensor([[tokens[place] for place in places]], device=twin.device)
    positions = torch.tensor([places], device=twin.device)
    with working_on(batch):
        found: Tensor = twin(input_ids=ids, position_ids=positions, use_cache=False).logits[0]
    return found.float()


def require_close(found: Tensor, wanted: Tensor, dtype: torch.dtype) -> None:
    size = float(wanted.abs().max())
    if float((found - wanted).abs().max()) > TOLERANCE.get(dtype, HALF_TOLERANCE) * size:
        raise refused("its scores depend on who else is answered")


def normed(self: Any, hidden_states: Tensor) -> Tensor:
    """RMSNorm in one operation, in place of the five that models spell out."""
    if hidden_states.dtype != self.weight.dtype:
        made: Tensor = type(self).forward(self, hidden_states)
        return made
    return rms_norm(hidden_states, self.weight.shape, self.weight, self.epsilon_here)


def use_fast_norms(model: Any) -> None:
    """Let every module that computes just this do it so."""
    for module in model.modules():
        if is_rms_norm(module):
            module.epsilon_here = epsilon_of(module)
            module.forward = MethodType(normed, module)
