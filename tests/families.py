"""Two-layer models with random weights, one of each family, made on disk without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tiny import SIZE, SPECIAL_TOKENS, make_gpt2, make_llama, save_tokenizer

DECODER: dict[str, Any] = {
    "vocab_size": SIZE + 3,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": SPECIAL_TOKENS.index("<|im_end|>"),
    "pad_token_id": 0,
}
ENCODER: dict[str, Any] = {
    "vocab_size": SIZE + 3,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "pad_token_id": 0,
}
PAIR: dict[str, Any] = {
    "vocab_size": SIZE + 3,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": None,
}


def save(folder: Path, name: str, settings: Any) -> None:
    """A model of the class `name` with the same random weights each time."""
    import torch
    import transformers

    torch.manual_seed(0)
    getattr(transformers, name)(settings).save_pretrained(folder)


def make_decoder(kind: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import transformers

        extra = {"head_dim": 8} if kind == "Gemma" else {}
        settings = getattr(transformers, f"{kind}Config")(**DECODER, **extra)
        save(folder, f"{kind}ForCausalLM", settings)
        return save_tokenizer(folder)

    return make


def make_encoder(kind: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import transformers

        positions = 130 if kind == "Roberta" else 128
        settings = getattr(transformers, f"{kind}Config")(
            **ENCODER, max_position_embeddings=positions
        )
        save(folder, f"{kind}ForMaskedLM", settings)
        return save_encoder_tokenizer(folder)

    return make


def make_t5(folder: Path) -> Path:
    from transformers import T5Config

    settings = T5Config(
        vocab_size=SIZE + 3,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        pad_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=0,
    )
    save(folder, "T5ForConditionalGeneration", settings)
    return save_encoder_tokenizer(folder, single="$A <|eos|>")


def make_pair(kind: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import transformers

        settings = getattr(transformers, f"{kind}Config")(**PAIR)
        save(folder, f"{kind}ForConditionalGeneration", settings)
        return save_encoder_tokenizer(folder, single="$A <|eos|>")

    return make


def save_encoder_tokenizer(folder: Path, single: str = "[CLS] $A [SEP]") -> Path:
    """The byte tokenizer with the special tokens that an encoder wants around a text."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    save_tokenizer(folder, chat_template=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens(
        {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    )
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=single,
        pair=f"{single} $B:1 {single.rsplit(maxsplit=1)[-1]}:1",
        special_tokens=[
            (token, tokenizer.convert_tokens_to_ids(token))
            for token in ("[CLS]", "[SEP]", "<|eos|>")
        ],
    )
    tokenizer.save_pretrained(folder)
    return folder


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "gpt2": make_gpt2,
    "llama": make_llama,
    "qwen2": make_decoder("Qwen2"),
    "mistral": make_decoder("Mistral"),
    "gemma": make_decoder("Gemma"),
    "phi3": make_decoder("Phi3"),
    "t5": make_t5,
    "bart": make_pair("Bart"),
    "blenderbot": make_pair("Blenderbot"),
    "bert": make_encoder("Bert"),
    "roberta": make_encoder("Roberta"),
    "distilbert": make_encoder("DistilBert"),
}
