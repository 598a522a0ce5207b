"""Control words in texts: `</s>` or `<|end|>` that somebody wrote stay text, not control tokens.

A tokenizer knows its special tokens wherever they are spelt out. In a rendered chat some are the
template's own, and those in what people said are not. So a character that nobody writes is put
into each of these before the template is rendered, and its tokens are left out afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerBase as Tokenizer

BREAK = "\ufdd0"
"""Unicode guarantees that it will never be a character: no text has it."""
MARKS = ("role", "type")
"""What the template itself looks at."""


class Encoded(NamedTuple):
    """Tokens of a text, and for each the place of the character that it begins at."""

    ids: list[int]
    starts: list[int]


def control_words(tokenizer: Tokenizer) -> re.Pattern[str]:
    """Finds the special tokens as they are spelt; one of a single character can't be broken up."""
    added = tokenizer.added_tokens_decoder.values()
    words = {*tokenizer.all_special_tokens, *(str(token) for token in added if token.special)}
    longest_first = sorted((word for word in words if len(word) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def broken(value: Any, words: re.Pattern[str]) -> Any:
    """`value`, a text or JSON, with its control words broken up in all texts within."""
    if isinstance(value, str):
        return words.sub(lambda match: match[0][0] + BREAK + match[0][1:], value)
    if isinstance(value, dict):
        return {
            broken(key, words): item if key in MARKS else broken(item, words)
            for key, item in value.items()
        }
    return [broken(item, words) for item in value] if isinstance(value, list) else value


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Encoded]:
    """The tokens of rendered chats, without those of the breaks."""
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        return_offsets_mapping=True,
        split_special_tokens=False,
    )
    return [
        unbroken(text, ids, offsets)
        for text, ids, offsets in zip(texts, encoded.input_ids, encoded.offset_mapping, strict=True)
    ]


def unbroken(text: str, ids: list[int], offsets: Sequence[tuple[int, int]]) -> Encoded:
    if BREAK not in text:
        return Encoded(ids, [start for start, _ in offsets])
    kept = [
        (token, start)
        for token, (start, end) in zip(ids, offsets, strict=True)
        if text[start:end] != BREAK
    ]
    return Encoded([token for token, _ in kept], [start for _, start in kept])
