"""Two-layer models, a byte-level tokenizer and data files, made on disk without a network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}"""
"""ChatML without {% generation %}: what is an answer must be found by rendering."""

SPECIAL_TOKENS = ["<|pad|>", "<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>"]
WORDS = [
    "red",
    "blue",
    "green",
    "round",
    "soft",
    "loud",
    "cold",
    "warm",
    "small",
    "old",
    "quick",
    "kind",
]


def save_tokenizer(folder: Path, *, chat_template: bool = True, pad_token: bool = True) -> Path:
    """A tokenizer with one token a byte; with a chat template, a turn ends with EOS."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *alphabet])}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|bos|>",
        eos_token="<|im_end|>" if chat_template else "<|eos|>",
        pad_token="<|pad|>" if pad_token else None,
        model_max_length=512,
    )
    if chat_template:
        fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    return folder


def make_llama(
    folder: Path, *, chat_template: bool = True, pad_token: bool = True, **config: Any
) -> Path:
    """A Llama of two layers with random weights, the same each time, in `folder`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_key_value_heads": 2}
    options = {"tie_word_embeddings": True, **sizes, **config}
    settings = LlamaConfig(
        vocab_size=SIZE,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        **token_ids(chat_template),
        **options,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(settings).save_pretrained(folder)
    return save_tokenizer(folder, chat_template=chat_template, pad_token=pad_token)


def make_reciter(folder: Path, answer: Iterable[str], chat_template: str) -> Path:
    """A Llama that says `answer` to all prompts that end with a line: a token a word."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    make_llama(folder, tie_word_embeddings=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = chat_template
    words = list(answer)
    tokenizer.add_tokens(words)
    model = LlamaForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer))
    line = tokenizer.convert_tokens_to_ids(["Ċ", *words, tokenizer.eos_token])
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.model.norm.weight.fill_(1)
        for place, (token, after) in enumerate(pairwise(line)):
            model.model.embed_tokens.weight[token, place] = 1
            model.lm_head.weight[after, place] = 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_gpt2(
    folder: Path, *, chat_template: bool = True, pad_token: bool = True, **config: Any
) -> Path:
    """A GPT-2 of two layers with random weights, the same each time, in `folder`."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    settings = GPT2Config(
        vocab_size=SIZE,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=512,
        **token_ids(chat_template),
        **config,
    )
    torch.manual_seed(0)
    GPT2LMHeadModel(settings).save_pretrained(folder)
    return save_tokenizer(folder, chat_template=chat_template, pad_token=pad_token)


SIZE = len(SPECIAL_TOKENS) + 256


def token_ids(chat_template: bool) -> dict[str, int]:
    eos = "<|im_end|>" if chat_template else "<|eos|>"
    return {"bos_token_id": 1, "eos_token_id": SPECIAL_TOKENS.index(eos), "pad_token_id": 0}


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def conversations(count: int) -> list[dict[str, Any]]:
    """Rows of the format `messages`: questions of different lengths with short answers."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"What is {WORDS[i % 12]}{' very' * (i % 5)}?"},
                {"role": "assistant", "content": f"It is {WORDS[(i * 7) % 12]}."},
            ]
        }
        for i in range(count)
    ]


def texts(count: int) -> list[dict[str, Any]]:
    """Rows of the format `text`."""
    return [{"text": " ".join(WORDS[(i + k) % 12] for k in range(3 + i % 9))} for i in range(count)]


def run_config(model: Path, train_file: Path, /, **sections: Any) -> dict[str, Any]:
    """The configuration of a short run, with `sections` merged over it."""
    config: dict[str, Any] = {
        # not auto: tests compare figures, also on a processor that computes bf16
        "model": {"name": str(model), "precision": "fp32"},
        "data": {"train_file": str(train_file), "max_length": 64},
        "training": {"max_steps": 4, "per_device_train_batch_size": 2, "learning_rate": 1e-3},
        "tuning": {"name": "lora"},
    }
    for name, section in sections.items():
        merged = isinstance(section, Mapping)
        config[name] = {**config.get(name, {}), **section} if merged else section
    return config
