"""Packed pairs in an encoder-decoder model: three masks keep the rows of a sequence apart.

A row that is read sees itself, one that is written sees what is before it, and looks at what was
read for it. transformers gives the encoder and the decoder's looking one mask between them, so
the encoder is called by itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from maxaillm.dev.finetune.hf.batches.rows import IGNORED


class PackedPairs:
    """Calls a model on a packed batch: with `readers` and `writers` in place of masks."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(
        self, *, input_ids: Tensor, readers: Tensor, writers: Tensor, **inputs: Any
    ) -> Any:
        itself, before, read = masks(readers, writers)
        encoded = self.model.get_encoder()(input_ids=input_ids, attention_mask=itself)
        return self.model(
            encoder_outputs=encoded, attention_mask=read, decoder_attention_mask=before, **inputs
        )


def masks(readers: Tensor, writers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Who sees what, [sequences, 1, tokens that see, tokens that are seen]: in the encoder, in the
    decoder, from the decoder in the encoder.

    Padding sees padding, and of what was read the last row: all have to see something.
    """
    lookers = torch.where(writers < 0, last_owner(writers), writers)
    seen = (same(readers, readers), same(writers, writers).tril(), same(lookers, readers))
    itself, before, read = (mask.unsqueeze(1) for mask in seen)
    return itself, before, read


def same(one: Tensor, other: Tensor) -> Tensor:
    return one.unsqueeze(2) == other.unsqueeze(1)


def last_owner(owners: Tensor) -> Tensor:
    """The row at the end of each line, [lines, 1]."""
    return owners.gather(1, (owners >= 0).sum(1, keepdim=True) - 1)


def decoder_inputs(model: Any, labels: Tensor, writers: Tensor | None = None) -> Tensor:
    """Of each row the start token, then its labels but the last; padding where nothing is
    learned. `writers`: whose each label is, where several share a line."""
    settings = model.config
    shifted = labels.roll(1, dims=1)
    begins = torch.zeros_like(labels, dtype=torch.bool)
    begins[:, 0] = True
    if writers is not None:
        begins[:, 1:] = (writers[:, 1:] != writers[:, :-1]) & (writers[:, 1:] >= 0)
    shifted = shifted.masked_fill(begins, int(settings.decoder_start_token_id))
    return shifted.masked_fill(shifted == IGNORED, int(settings.pad_token_id or 0))


@torch.no_grad()
def keeps_pairs_apart(model: PreTrainedModel) -> bool:
    """Whether a pair that is packed behind another one gets the logits that it gets alone: a model
    that counts positions from the start of a sequence does not."""
    was_training = model.training
    model.eval()
    device, size = model.device, int(model.config.vocab_size) - 1
    read, written = ((torch.arange(3, n, device=device) % size)[None] for n in (10, 8))
    alone = model(input_ids=read, labels=written, use_cache=False).logits
    others = read.flip(1)[:, :5] + 1, written.flip(1)[:, :3] + 1
    ids, labels = torch.cat([others[0], read], 1), torch.cat([others[1], written], 1)
    readers, writers = (
        (torch.arange(text.shape[1], device=device) >= begin).long()[None]
        for text, begin in ((ids, 5), (labels, 3))
    )
    packed = PackedPairs(model)(
        input_ids=ids,
        readers=readers,
        writers=writers,
        decoder_input_ids=decoder_inputs(model, labels, writers),
        use_cache=False,
    ).logits[:, 3:]
    model.train(was_training)
    tolerance = 1e-4 if alone.dtype == torch.float32 else 5e-2
    close = (packed - alone).abs().max() <= tolerance * alone.abs().max()
    return bool(close)
