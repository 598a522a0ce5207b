"""What is trained: a small model with random weights, its rows and settings. No library yet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

STEPS = int(os.environ.get("MAXFT_BENCHMARK_STEPS", "8"))
DROPOUT = float(os.environ.get("MAXFT_BENCHMARK_LORA_DROPOUT", "0.1"))
"""LoRA's dropout, the same on every side."""
LORA = {"name": "lora", "r": 8, "lora_alpha": 32, "lora_dropout": DROPOUT}
TEST_DATA = Path(os.environ.get("MAXFT_TEST_DATA", Path(__file__).parents[3] / "shared"))
TOKENIZER = TEST_DATA / "models/gpt2-tokenizer"
ALPACA = TEST_DATA / "data/instruction/alpaca_en_demo.json"
BANKING = TEST_DATA / "data/classification/banking77_train.csv"
VOCABULARY, END = 50_257, 50_256


class Work(NamedTuple):
    """A comparison: the same model, rows, batch, and number of steps for all."""

    says: str
    task: str
    rows: Path
    tuning: dict[str, Any]
    width: int
    batch: int
    target: float
    """How many times the padded Trainer's tokens a second."""
    flops_per_weight: int | None = None
    """Per useful token: 2 forward, 2 for gradients by states, 2 for those by weights; None where
    the weights do not all meet each token."""


LLAMA = "Llama 17.3 M (hidden 256, 6 layers, vocabulary 50,257, tied)"
WORKS = {
    "lora": Work(
        f"{LLAMA}, LoRA r 8 on all linear layers", "causal_lm", ALPACA, LORA, 512, 8, 4.7, 4
    ),
    "full": Work(f"{LLAMA}, all weights", "causal_lm", ALPACA, {"name": "full"}, 512, 8, 4.5, 6),
    "classification": Work(
        "BERT (hidden 256, 6 layers), 77 classes, all weights",
        "sequence_classification",
        BANKING,
        {"name": "full"},
        128,
        32,
        5.5,
    ),
    "seq2seq": Work(
        "T5 (hidden 256, 4 + 4 layers), all weights",
        "seq2seq_lm",
        ALPACA,
        {"name": "full"},
        256,
        8,
        4.0,
    ),
}
LEARNING_RATE = 2e-4


def make_model(task: str, folder: Path) -> None:
    import torch
    from transformers import (
        AutoTokenizer,
        BertConfig,
        BertForSequenceClassification,
        LlamaConfig,
        LlamaForCausalLM,
        T5Config,
        T5ForConditionalGeneration,
    )

    torch.manual_seed(0)
    ends = {"bos_token_id": END, "eos_token_id": END, "pad_token_id": END}
    if task == "causal_lm":
        model: Any = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                hidden_size=256,
                intermediate_size=704,
                num_hidden_layers=6,
                num_attention_heads=8,
                num_key_value_heads=4,
                max_position_embeddings=2048,
                tie_word_embeddings=True,
                **ends,
            )
        )
    elif task == "seq2seq_lm":
        settings = {"d_model": 256, "d_kv": 32, "d_ff": 704, "num_layers": 4, "num_heads": 8}
        model = T5ForConditionalGeneration(
            T5Config(vocab_size=VOCABULARY, decoder_start_token_id=END, **settings, **ends)
        )
    else:
        settings = {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 8}
        settings |= {"intermediate_size": 1024, "num_labels": 77}
        model = BertForSequenceClassification(BertConfig(vocab_size=VOCABULARY, **settings, **ends))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)
