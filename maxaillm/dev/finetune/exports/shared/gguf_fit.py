"""Whether GGUF can hold a model, by its files alone: its settings and its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maxaillm.dev.finetune.errors import ExportError

SPACE = "▁"
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS: dict[str, list[tuple[str, Any]]] = {
    "gpt-2": [("ByteLevel", True)],
    "smollm": [("Digits", True), ("ByteLevel", True)],
    "qwen2": [("Split", LLAMA_3.replace("{1,3}", "")), ("ByteLevel", False)],
    "llama-bpe": [("Split", LLAMA_3), ("ByteLevel", False)],
}
"""llama.cpp's names (src/llama-vocab.cpp) of ways to cut a text before byte-level BPE, and the
steps that they stand for: a kind, and what matters in it."""
MATTERS = {"ByteLevel": "use_regex", "Digits": "individual_digits"}


def unfit_settings(settings: Mapping[str, Any]) -> str | None:
    """What the settings of a model ask for that its GGUF would not say; None where all is plain."""
    kind = settings.get("model_type")
    rope = settings.get("rope_parameters") or settings.get("rope_scaling") or {}
    scaled = rope.get("rope_type", rope.get("type", "default"))
    act = settings.get("hidden_act", "silu")
    window, context = settings.get("sliding_window"), settings.get("max_position_embeddings")
    uses_window = window and settings.get("use_sliding_window", kind == "mistral")
    hidden, heads = settings.get("hidden_size"), settings.get("num_attention_heads")
    head = settings.get("head_dim")
    knows_heads = kind == "qwen2" and head and heads and hidden
    is_odd_head = bool(knows_heads) and int(head or 0) * int(heads or 0) != hidden
    reasons = {
        f"its positions are scaled ({scaled})": scaled != "default",
        f"it sees only {window} tokens back": bool(uses_window and context and window < context),
        "its heads are not hidden size / heads wide": is_odd_head,
        f"its activation is {act}": act != "silu",
        "its layers have biases": kind != "qwen2"
        and bool(settings.get("attention_bias") or settings.get("mlp_bias")),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def require_known_tokenizer(parts: dict[str, Any]) -> None:
    """`parts`: a `tokenizer.json`. Raises ExportError where GGUF has no name for what it does."""
    bpe = parts["model"]
    if bpe["type"] != "BPE":
        raise unknown_kind(f"is a {bpe['type']} tokenizer")
    if bpe.get("byte_fallback"):
        puts_space_first(parts)
    else:
        pre_tokenizer_of(parts)


def pre_tokenizer_of(parts: dict[str, Any]) -> str:
    """llama.cpp's name for how the text is cut. Raises ExportError where it has none."""
    found = parts["pre_tokenizer"] or {}
    steps = found.get("pretokenizers", [found])
    described = [(step.get("type"), what_matters(step)) for step in steps]
    name = next((name for name, known in PRE_TOKENIZERS.items() if known == described), None)
    normalizer = (parts["normalizer"] or {}).get("type")
    if name is None or normalizer not in {None, "NFC"}:
        raise unknown_kind("cuts texts in a way")
    if any(step.get("add_prefix_space") for step in steps):
        raise unknown_kind("puts a space before each text")
    if parts["model"]["ignore_merges"] != (name == "llama-bpe") and parts["model"]["merges"]:
        raise unknown_kind("applies its merges in a way")
    return name


def what_matters(step: dict[str, Any]) -> Any:
    if step.get("type") == "Split":
        return step["pattern"].get("Regex") if step["behavior"] == "Isolated" else None
    return step.get(MATTERS.get(str(step.get("type")), ""))


def puts_space_first(parts: dict[str, Any]) -> bool:
    """Whether a text gets a space in front. Raises ExportError where spaces are not ▁."""
    normalizer = parts["normalizer"] or {}
    steps = normalizer.get("normalizers", [normalizer])
    if any(step.get("type") == "Replace" and step.get("content") == SPACE for step in steps):
        return any(step.get("type") == "Prepend" for step in steps)
    metaspace = parts["pre_tokenizer"] or {}
    if metaspace.get("type") == "Metaspace" and metaspace.get("replacement") == SPACE:
        return bool(metaspace.get("prepend_scheme") != "never")
    raise unknown_kind("writes spaces in a way")


def unknown_kind(what: str) -> ExportError:
    return ExportError(
        f"The tokenizer {what} that GGUF has no name for.", "Export a Hugging Face folder."
    )
