"""Cuts a text into tokens by what a GGUF file says, as llama.cpp does (src/llama-vocab.cpp)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import gguf
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as Steps

from maxaillm.dev.finetune.exports.shared.gguf_fit import PRE_TOKENIZERS, SPACE
from maxaillm.dev.finetune.exports.shared.gguf_tokenizer import GgufTokenizer

MAKERS: dict[str, Callable[[Any], PreTokenizer]] = {
    "ByteLevel": lambda use_regex: ByteLevel(add_prefix_space=False, use_regex=use_regex),
    "Digits": lambda individual: Digits(individual_digits=individual),
    "Split": lambda pattern: Split(Regex(pattern), behavior="isolated"),
}


def encode(entries: GgufTokenizer, text: str) -> list[int]:
    """The tokens of a text, with BOS and EOS where the file asks for them."""
    ids = by_scores(entries, text) if entries.model == "llama" else by_merges(entries, text)
    first = [entries.special["bos"]] if entries.add_bos else []
    last = [entries.special["eos"]] if entries.add_eos else []
    return [*first, *ids, *last]


def by_merges(entries: GgufTokenizer, text: str) -> list[int]:
    """Byte-level BPE: the earliest merge first."""
    vocabulary = {token: index for index, token in enumerate(entries.tokens)}
    merges = [(left, right) for left, right in (merge.split(" ") for merge in entries.merges)]
    tokenizer = Tokenizer(
        BPE(vocab=vocabulary, merges=merges, ignore_merges=entries.pre == "llama-bpe")
    )
    steps: list[PreTokenizer] = [MAKERS[kind](what) for kind, what in PRE_TOKENIZERS[entries.pre]]
    tokenizer.pre_tokenizer = Steps(steps)
    control = gguf.TokenType.CONTROL
    tokenizer.add_special_tokens(
        [
            AddedToken(token, normalized=False)
            for token, kind in zip(entries.tokens, entries.types, strict=True)
            if kind == control
        ]
    )
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def by_scores(entries: GgufTokenizer, text: str) -> list[int]:
    """Of all neighbours that make a token, the pair with the highest score is merged first, the
    left one of equals; what is no token in the end is spelled in bytes."""
    vocabulary = {token: index for index, token in enumerate(entries.tokens)}
    spaced = f" {text}" if entries.add_space_prefix else text
    pieces = list(spaced.replace(" ", SPACE))
    while True:
        pairs = (
            (entries.scores[vocabulary[left + right]], -at)
            for at, (left, right) in enumerate(pairwise(pieces))
            if left + right in vocabulary
        )
        best = max(pairs, default=None)
        if best is None:
            break
        at = -best[1]
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
    return [index for piece in pieces for index in spelled(piece, vocabulary)]


def spelled(piece: str, vocabulary: dict[str, int]) -> list[int]:
    if piece in vocabulary:
        return [vocabulary[piece]]
    return [vocabulary[f"<0x{byte:02X}>"] for byte in piece.encode()]
