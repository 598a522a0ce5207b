"""Tokens as text, piece by piece: what a person reads where the model reads numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")
"""How SentencePiece calls a byte of what it has no token for."""


def texts_of(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """What each token adds to the text, special tokens too.

    Of a character that takes several tokens, the last one has it; the others show their bytes.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return [str(tokenizer.decode([token], skip_special_tokens=False)) for token in ids]
    stream = DecodeStream(skip_special_tokens=False)
    added = [stream.step(backend, token) for token in ids]
    return [
        bytes_of(str(tokenizer.convert_ids_to_tokens(token))) if text is None else text
        for token, text in zip(ids, added, strict=True)
    ]


def bytes_of(token: str) -> str:
    """A piece of a character, in which bytes that are no text by themselves are escaped."""
    if BYTE_TOKEN.fullmatch(token):
        return f"\\x{token[3:5].lower()}"
    alphabet = byte_alphabet()
    if any(letter not in alphabet for letter in token):
        return token.replace("\N{LOWER ONE EIGHTH BLOCK}", " ")  # SentencePiece's space
    return bytes(alphabet[letter] for letter in token).decode("utf-8", "backslashreplace")


@cache
def byte_alphabet() -> dict[str, int]:
    """The letters that byte-level tokenizers write bytes with."""
    return {letter: byte for byte, letter in bytes_to_unicode().items()}


def special_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens that are no text: beginnings and ends, padding, masks, marks of a turn."""
    added = tokenizer.added_tokens_decoder.items()
    return frozenset(tokenizer.all_special_ids) | {token for token, a in added if a.special}
