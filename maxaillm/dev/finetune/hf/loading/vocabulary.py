"""Vocabulary of a model: a row for each token that was added to its tokenizer."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.model_files.embeddings import tokens_without_rows


def fit_vocabulary(model: PreTrainedModel, tokenizer: Tokenizer) -> list[str]:
    """Give tokens that were added to the tokenizer the rows that the model lacks.

    A new row is the mean of the others, the same each time: what is saved beside a base finds it
    as it was. Returns these tokens. Raises ModelError where the tokenizer is another model's.
    """
    rows = int(model.get_input_embeddings().num_embeddings)
    added = tokenizer.get_added_vocab()
    new = tokens_without_rows(len(tokenizer), added, rows)
    if new:
        model.resize_token_embeddings(max(added.values()) + 1, mean_resizing=False)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
            begin_at_mean(getattr(layer, "weight", None), rows)
            begin_at_mean(getattr(layer, "bias", None), rows)
    return new


@torch.no_grad()
def begin_at_mean(values: Tensor | None, rows: int) -> None:
    """Set what lies behind the first `rows` to their mean."""
    if values is not None:
        values[rows:] = values[:rows].float().mean(0).to(values.dtype)
