"""Models that know too little: rows that no text trained, tokens without rows."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests import tiny

START, END = tiny.SPECIAL_TOKENS.index("<|im_start|>"), tiny.SPECIAL_TOKENS.index("<|im_end|>")
ASLEEP = [START, END, *range(110, 150)]
"""Rows that no text of the base had: all the same."""


def make_sleepy(folder: Path, *, tied: bool) -> Path:
    """A Llama whose rows `ASLEEP` its training left alone."""
    tiny.make_llama(folder, tie_word_embeddings=tied)
    file = folder / "model.safetensors"
    weights = load_file(file)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in weights:
            weights[name][ASLEEP] = weights[name][250].clone() + 1e-6 * torch.randn(len(ASLEEP), 32)
    save_file(weights, file, metadata={"format": "pt"})
    return folder


def make_grown(folder: Path) -> Path:
    """A Llama whose tokenizer got two tokens that it has no rows for."""
    from transformers import AutoTokenizer

    tiny.make_llama(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|call|>", "<|end_call|>"]})
    tokenizer.save_pretrained(folder)
    return folder
