"""What a GGUF file says of a tokenizer: made of a model's tokenizer, written, and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import gguf
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.exports.shared.gguf_fit import (
    pre_tokenizer_of,
    puts_space_first,
    require_known_tokenizer,
)


class GgufTokenizer(NamedTuple):
    """The keys `tokenizer.ggml.*`."""

    model: str
    """gpt2: byte-level BPE; llama: BPE by scores, with bytes for what has no token."""
    pre: str
    tokens: list[str]
    types: list[int]
    scores: list[float]
    merges: list[str]
    special: dict[str, int]
    """bos, eos, unknown and padding, where there is one."""
    add_bos: bool
    add_eos: bool
    add_space_prefix: bool
    chat_template: str

    @classmethod
    def of(cls, tokenizer: Tokenizer, vocabulary: int) -> GgufTokenizer:
        """Raises ExportError for a tokenizer of another kind than GGUF knows."""
        parts = json.loads(tokenizer.backend_tokenizer.to_str())
        bpe = parts["model"]
        require_known_tokenizer(parts)
        by_bytes = bool(bpe["byte_fallback"])
        merges = [" ".join(merge) for merge in bpe["merges"]]
        tokens, types = entries_of(tokenizer, parts, vocabulary)
        specials = {
            "bos": tokenizer.bos_token_id,
            "eos": tokenizer.eos_token_id,
            "unknown": tokenizer.unk_token_id,
            "padding": tokenizer.pad_token_id,
        }
        ids = tokenizer("a").input_ids
        return cls(
            model="llama" if by_bytes else "gpt2",
            pre="default" if by_bytes else pre_tokenizer_of(parts),
            tokens=tokens,
            types=types,
            scores=scores_of(tokens, merges) if by_bytes else [],
            merges=merges,
            special={name: int(value) for name, value in specials.items() if value is not None},
            add_bos=ids[:1] == [tokenizer.bos_token_id],
            add_eos=ids[-1:] == [tokenizer.eos_token_id],
            add_space_prefix=by_bytes and puts_space_first(parts),
            chat_template=str(tokenizer.chat_template or ""),
        )


def entries_of(
    tokenizer: Tokenizer, parts: dict[str, Any], vocabulary: int
) -> tuple[list[str], list[int]]:
    """Each token's text and type, by id; ids that no token has are filled up."""
    kinds = gguf.TokenType
    added = {entry["content"]: entry["special"] for entry in parts["added_tokens"]}
    by_id = {index: token for token, index in tokenizer.get_vocab().items()}
    tokens = [by_id.get(index, f"[PAD{index}]") for index in range(vocabulary)]

    def kind(index: int, token: str) -> int:
        if index not in by_id:
            return int(kinds.UNUSED)
        if token in added:
            is_unknown = parts["model"]["byte_fallback"] and token == tokenizer.unk_token
            special = kinds.UNKNOWN if is_unknown else kinds.CONTROL
            return int(special if added[token] else kinds.USER_DEFINED)
        is_byte = parts["model"]["byte_fallback"] and len(token) == 6 and token.startswith("<0x")
        return int(kinds.BYTE if is_byte else kinds.NORMAL)

    return tokens, [kind(index, token) for index, token in enumerate(tokens)]


def scores_of(tokens: list[str], merges: list[str]) -> list[float]:
    """The earlier a merge was learned, the higher its score: llama.cpp merges the highest first."""
    rank: dict[str, int] = {}
    for index, merge in enumerate(merges):
        rank.setdefault(merge.replace(" ", "", 1), index)
    last = len(merges)
    return [-float(rank[token]) if token in rank else -float(last) for token in tokens]


def write_tokenizer(writer: Any, entries: GgufTokenizer) -> None:
    writer.add_tokenizer_model(entries.model)
    writer.add_tokenizer_pre(entries.pre)
    writer.add_token_list(entries.tokens)
    writer.add_token_types(entries.types)
    if entries.scores:
        writer.add_token_scores(entries.scores)
    if entries.merges:
        writer.add_token_merges(entries.merges)
    for name, value in entries.special.items():
        writer.add_uint32(special_key(name), value)
    writer.add_add_bos_token(entries.add_bos)
    writer.add_add_eos_token(entries.add_eos)
    writer.add_add_space_prefix(entries.add_space_prefix)
    if entries.chat_template:
        writer.add_chat_template(entries.chat_template)


def special_key(name: str) -> str:
    return f"tokenizer.ggml.{name}_token_id"


def read_tokenizer(path: Path) -> GgufTokenizer:
    """What the file says, by gguf's own reader."""
    fields = gguf.GGUFReader(path).fields

    def value(key: str, default: Any = None) -> Any:
        field = fields.get(key)
        return default if field is None else field.contents()

    names = ("bos", "eos", "unknown", "padding")
    specials = {name: value(special_key(name)) for name in names}
    return GgufTokenizer(
        model=value("tokenizer.ggml.model"),
        pre=value("tokenizer.ggml.pre"),
        tokens=value("tokenizer.ggml.tokens"),
        types=value("tokenizer.ggml.token_type"),
        scores=value("tokenizer.ggml.scores", []),
        merges=value("tokenizer.ggml.merges", []),
        special={name: found for name, found in specials.items() if found is not None},
        add_bos=value("tokenizer.ggml.add_bos_token"),
        add_eos=value("tokenizer.ggml.add_eos_token"),
        add_space_prefix=value("tokenizer.ggml.add_space_prefix"),
        chat_template=value("tokenizer.chat_template", ""),
    )
