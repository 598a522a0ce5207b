"""Probes of a model by tiny forward passes: whether packed rows stay apart, where its head is."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


def output_head(model: PreTrainedModel) -> nn.Module | None:
    """The layer that makes the logits, where the model returns its output unchanged.

    None where something comes after it, such as a cap or a scale, or nothing is known of it.
    """
    head: nn.Module | None = model.get_output_embeddings()
    if head is None:
        return None
    made: list[Tensor] = []
    handle = head.register_forward_hook(lambda _module, _inputs, output: made.append(output))
    try:
        logits = forward(model, probe_ids(model))
    finally:
        handle.remove()
    same = len(made) == 1 and made[0].shape == logits.shape and torch.equal(made[0], logits)
    return head if same else None


def keeps_rows_apart(model: PreTrainedModel) -> bool:
    """Whether a row that is packed behind another one gets the logits that it gets alone, in a
    batch of several sequences."""
    ids = probe_ids(model)
    alone = forward(model, ids)
    other = torch.flip(ids, [1]) + 1
    positions = torch.arange(ids.shape[1], device=ids.device)[None]
    pair = torch.cat([other, ids], 1).expand(2, -1)
    both = forward(model, pair, position_ids=torch.cat([positions, positions], 1).expand(2, -1))
    packed = both[:1, -ids.shape[1] :]
    tolerance = 1e-4 if alone.dtype == torch.float32 else 5e-2
    largest = float(alone.abs().max())
    return packed.shape == alone.shape and torch.allclose(
        packed.float(), alone.float(), rtol=tolerance, atol=tolerance * largest
    )


def probe_ids(model: PreTrainedModel) -> Tensor:
    ids = torch.arange(3, 9, device=model.device)[None]
    return ids % (int(model.config.vocab_size) - 1)


@torch.no_grad()
def forward(model: PreTrainedModel, ids: Tensor, **inputs: Tensor) -> Tensor:
    was_training = model.training
    model.eval()
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    logits: Tensor = model(input_ids=ids, use_cache=False, **inputs).logits
    model.train(was_training)
    return logits
