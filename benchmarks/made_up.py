"""Models and rows made up for measurements: random weights, a token a byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

WORDS = (
    "round",
    "soft",
    "loud",
    "cold",
    "warm",
    "small",
    "old",
    "quick",
    "kind",
    "red",
    "blue",
    "green",
)
CAUSAL, PAIRS, CLASSES, MASKED = "causal_lm", "seq2seq_lm", "sequence_classification", "masked_lm"
TAGS, PREFERENCE = "token_classification", "preference"


class Size(NamedTuple):
    """What makes a model large; encoder-decoders have half of the layers on each side."""

    vocabulary: int
    width: int
    layers: int
    heads: int


SIZES = {
    "tiny": Size(2_048, 64, 3, 4),  # 0.3 M parameters
    "small": Size(8_192, 256, 4, 4),  # 5 M
    "medium": Size(16_384, 384, 6, 6),  # 17 M
    "large": Size(16_384, 512, 8, 8),  # 34 M
}


def make_model(folder: Path, family: str, size: Size) -> Path:
    """A model with random weights and one token a byte. Its vocabulary is larger than that."""
    import torch
    import transformers

    from tests.families import save_encoder_tokenizer
    from tests.tiny import save_tokenizer

    torch.manual_seed(0)
    class_name, settings = SHAPES[family](size)
    config = getattr(transformers, settings.pop("config"))(pad_token_id=0, **settings)
    getattr(transformers, class_name)(config).save_pretrained(folder)
    return (
        save_tokenizer(folder)
        if "Causal" in class_name or "LMHead" in class_name
        else save_encoder_tokenizer(folder, *["$A <|eos|>"] * (family == "t5"))
    )


def llama(size: Size) -> tuple[str, dict[str, Any]]:
    return "LlamaForCausalLM", {
        "config": "LlamaConfig",
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "intermediate_size": size.width * 11 // 4,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads // 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 4,
    }


def gpt2(size: Size) -> tuple[str, dict[str, Any]]:
    return "GPT2LMHeadModel", {
        "config": "GPT2Config",
        "vocab_size": size.vocabulary,
        "n_embd": size.width,
        "n_layer": size.layers,
        "n_head": size.heads,
        "n_positions": 1024,
        "bos_token_id": 1,
        "eos_token_id": 4,
    }


def t5(size: Size) -> tuple[str, dict[str, Any]]:
    return "T5ForConditionalGeneration", {
        "config": "T5Config",
        "vocab_size": size.vocabulary,
        "d_model": size.width,
        "d_kv": size.width // size.heads,
        "d_ff": size.width * 4,
        "num_layers": size.layers // 2,
        "num_heads": size.heads,
        "eos_token_id": 2,
        "decoder_start_token_id": 0,
    }


def bert(size: Size) -> tuple[str, dict[str, Any]]:
    return "BertForMaskedLM", {
        "config": "BertConfig",
        "vocab_size": size.vocabulary,
        "hidden_size": size.width,
        "intermediate_size": size.width * 4,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "max_position_embeddings": 1024,
    }


SHAPES = {"llama": llama, "gpt2": gpt2, "t5": t5, "bert": bert}


def text(number: int, length: int) -> str:
    """So many bytes, which are as many tokens."""
    words = (WORDS[(number * 7 + k * k) % 12] for k in range(length))
    return " ".join(words)[:length]


def row_of(task: str, number: int, length: int) -> dict[str, Any]:
    """A row of 20 to 120 % of the maximum length, or a text of as many tokens."""
    wanted = length * (20 + number * 37 % 101) // 100
    if task == MASKED:
        return {"text": text(number, wanted)}
    if task == TAGS:
        words = text(number, wanted).split() or ["red"]
        return {"tokens": words, "ner_tags": [f"B-{word}" for word in words]}
    if task == PREFERENCE:
        answers = {
            "chosen": text(number + 1, wanted // 2),
            "rejected": text(number + 2, wanted // 2),
        }
        return {"prompt": text(number, max(4, wanted // 2 - 20)), **answers}
    if task == CLASSES:
        return {"text": text(number, wanted), "label": WORDS[number % 4]}
    if task == PAIRS:
        return {"prompt": text(number, wanted), "completion": text(number + 1, wanted // 2)}
    half = max(wanted // 2 - 20, 4)
    return {"prompt": text(number, half), "completion": text(number + 1, half)}
