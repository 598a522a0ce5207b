"""Writes a model of the Llama family as a GGUF file, and reads it again.

Names and layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. As in llama.cpp's own
converter, the rows of a Llama's query and key matrices are put in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM

from maxaillm.dev.finetune.errors import ExportError
from maxaillm.dev.finetune.exports.shared.gguf_encoding import encode
from maxaillm.dev.finetune.exports.shared.gguf_fit import unfit_settings
from maxaillm.dev.finetune.exports.shared.gguf_tokenizer import (
    GgufTokenizer,
    read_tokenizer,
    write_tokenizer,
)
from maxaillm.dev.finetune.exports.shared.modelfile import (
    MOST_CONTEXT,
    Tokens,
    Turn,
    write_modelfile,
)
from maxaillm.dev.finetune.exports.shared.parity import TorchReplay
from maxaillm.dev.finetune.exports.shared.source import Trained
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.batches.template_turns import REFUSALS

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2"}
"""llama.cpp computes a Mistral as a Llama."""
SENSITIVE = ("token_embd.weight", "output.weight")
"""Held in 8 bits where the rest has fewer: as in llama.cpp, for little space and much quality."""
BLOCK = 32
Weights = npt.NDArray[np.float32]


def write_gguf(trained: Trained, path: Path, type_name: str) -> None:
    """Write the merged model and its tokenizer; `trained.model` is rounded to what is written."""
    model = trained.merge()
    require_plain(model.config, model)
    wanted = gguf.GGMLQuantizationType[type_name]
    writer = gguf.GGUFWriter(path, ARCHITECTURES[model.config.model_type])
    try:
        write_settings(writer, model.config, type_name)
        write_tokenizer(writer, GgufTokenizer.of(trained.tokenizer, model.config.vocab_size))
        for name, values in named_tensors(model):
            kind = type_of(name, values.shape, wanted)
            stored = gguf.quants.quantize(values, kind)
            writer.add_tensor(name, stored, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    round_weights(model, wanted)


def modelfile(trained: Trained, file: str) -> str:
    """For Ollama, beside the GGUF `file`."""
    tokenizer = trained.tokenizer
    entries = GgufTokenizer.of(tokenizer, trained.model.config.vocab_size)

    def render(turns: Sequence[Turn]) -> str:
        try:
            text = tokenizer.apply_chat_template(
                [dict(turn) for turn in turns], tokenize=False, add_generation_prompt=True
            )
        except REFUSALS as error:
            raise ValueError(loading.first_line(error)) from error
        return str(text)

    tokens = Tokens(
        bos=str(tokenizer.bos_token or ""),
        adds_bos=entries.add_bos,
        eos=str(tokenizer.eos_token or ""),
        context=loading.context_length(trained.model) or MOST_CONTEXT,
    )
    return write_modelfile(file, render if tokenizer.chat_template else None, tokens)


def require_plain(config: Any, model: Any) -> None:
    """Raises ExportError where the model does what its GGUF would not say."""
    biased = any(name.endswith(".bias") for name, _ in model.named_parameters())
    reason = unfit_settings(config.to_dict())
    if reason is None and biased and config.model_type != "qwen2":
        reason = "its layers have biases"
    if reason:
        raise ExportError(
            f"This {config.model_type} can't be written as GGUF: {reason}.",
            "Export it as a Hugging Face folder.",
        )


def head_size(config: Any) -> int:
    named = getattr(config, "head_dim", None)
    return int(named or config.hidden_size // config.num_attention_heads)


def write_settings(writer: Any, config: Any, type_name: str) -> None:
    kind = "ALL_F32" if type_name == "F32" else f"MOSTLY_{type_name}"
    rope = getattr(config, "rope_parameters", None) or {}
    size = head_size(config)
    writer.add_name("model")
    writer.add_file_type(gguf.LlamaFileType[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(size)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_freq_base(float(rope.get("rope_theta", 10000.0)))


def named_tensors(model: Any) -> Iterator[tuple[str, Weights]]:
    """The weights under GGUF's names and in its order; tied ones once."""
    config = model.config
    names = gguf.get_tensor_name_map(architecture(config), config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ExportError(f"GGUF has no name for {name}.", "Export another format.")
        heads = turned_heads(name, config)
        values = tensor.float().numpy()
        yield found, np.ascontiguousarray(permute(values, heads) if heads else values)


def architecture(config: Any) -> Any:
    return {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2}[
        ARCHITECTURES[config.model_type]
    ]


def turned_heads(name: str, config: Any) -> int:
    """How many heads a matrix has whose rows llama.cpp wants in its own order; 0 for others."""
    if ARCHITECTURES[config.model_type] != "llama":
        return 0
    if name.endswith("q_proj.weight"):
        return int(config.num_attention_heads)
    return int(config.num_key_value_heads) if name.endswith("k_proj.weight") else 0


def permute(values: Weights, heads: int) -> Weights:
    """Rotary pairs side by side instead of half a head apart."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def type_of(name: str, shape: tuple[int, ...], wanted: Any) -> Any:
    """How a tensor is stored: vectors whole, odd widths in 16 bits, the rest as wanted."""
    types = gguf.GGMLQuantizationType
    if len(shape) == 1:
        return types.F32
    if wanted in {types.F32, types.F16, types.BF16}:
        return wanted
    if shape[-1] % BLOCK:
        return types.F16
    return types.Q8_0 if name in SENSITIVE else wanted


@torch.no_grad()
def round_weights(model: Any, wanted: Any) -> None:
    """Give the model the weights that the file holds."""
    names = gguf.get_tensor_name_map(architecture(model.config), model.config.num_hidden_layers)
    for name, parameter in model.named_parameters():
        kind = type_of(
            names.get_name(name, try_suffixes=(".weight", ".bias")) or name,
            tuple(parameter.shape),
            wanted,
        )
        values = parameter.float().numpy()
        stored = gguf.quants.quantize(np.ascontiguousarray(values), kind)
        parameter.copy_(torch.from_numpy(np.array(gguf.quants.dequantize(stored, kind))))


class GgufReplay(TorchReplay):
    """A GGUF file: the weights as transformers opens them, the tokenizer by the file's entries."""

    def __init__(self, path: Path) -> None:
        try:
            model = AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=torch.float32, local_files_only=True
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ExportError(
                f"The GGUF can't be opened again: {loading.first_line(error)}",
                "Export another format.",
            ) from error
        self.entries = read_tokenizer(path)
        super().__init__(model, tokenizer=None, task="causal_lm")

    def encode(self, prompt: str) -> list[int]:
        return encode(self.entries, prompt)
