"""Which layers are adapted: chosen by the family of the model, asked for by name, counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from transformers.pytorch_utils import Conv1D

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.methods import Plan, methods
from maxaillm.dev.finetune.methods.ia3 import IA3
from maxaillm.dev.finetune.methods.lora import LoRA
from maxaillm.dev.finetune.methods.shared import conv1d
from maxaillm.dev.finetune.model_files.shapes import Layer, ModelShapes
from tests.engine.methods.cases import events_of, tune, tuning_of

SIZES: dict[str, Any] = {
    "vocab_size": 64, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "d_ff": 48,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "d_kv": 4,
    "decoder_ffn_dim": 48, "num_layers": 1, "num_heads": 4, "max_position_embeddings": 66,
}  # fmt: skip
FLAT: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 66,
    "pad_token_id": 0,
}  # fmt: skip
DISTIL: dict[str, Any] = {
    "vocab_size": 64, "dim": 32, "hidden_dim": 48, "n_layers": 1, "n_heads": 4,
    "max_position_embeddings": 66,
}  # fmt: skip
GPT2: dict[str, Any] = {
    "vocab_size": 64, "n_embd": 32, "n_layer": 1, "n_head": 4, "pad_token_id": 0,
}  # fmt: skip
FAMILIES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "t5": ("T5ForConditionalGeneration", "SEQ_2_SEQ_LM", SIZES),
    "bart": ("BartForConditionalGeneration", "SEQ_2_SEQ_LM", SIZES),
    "blenderbot": ("BlenderbotForConditionalGeneration", "SEQ_2_SEQ_LM", SIZES),
    "bert": ("BertForSequenceClassification", "SEQ_CLS", FLAT),
    "roberta": ("RobertaForTokenClassification", "TOKEN_CLS", FLAT),
    "distilbert": ("DistilBertForSequenceClassification", "SEQ_CLS", DISTIL),
    "gpt2": ("GPT2ForSequenceClassification", "SEQ_CLS", GPT2),
    "qwen2": ("Qwen2ForCausalLM", "CAUSAL_LM", FLAT),
}
HEADS = {"score", "classifier", "pre_classifier"}


@pytest.fixture(scope="module")
def families() -> Callable[[str], tuple[Any, str]]:
    """A new model of a family, and PEFT's name of the task that it is for."""
    transformers.utils.logging.set_verbosity_error()

    def make(family: str) -> tuple[Any, str]:
        name, task, options = FAMILIES[family]
        model_class = getattr(transformers, name)
        known = model_class.config_class().to_dict()
        config = model_class.config_class(**{k: v for k, v in options.items() if k in known})
        torch.manual_seed(0)
        return model_class(config), task

    return make


def method_of(name: str, **options: Any) -> Any:
    return RunConfig.parse({"model": {"name": "x"}, "tuning": tuning_of(name, **options)}).tuning


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [name for name, method in methods.items() if method.keeps_base])
def test_counts_agree_with_peft_in_every_family(name: str, family: str, families: Any) -> None:
    model, task = families(family)
    method = method_of(name)
    stored = {parameter: tuple(p.shape) for parameter, p in model.named_parameters()}
    expected = method.count_trainable(ModelShapes(stored, model.config.to_dict()))
    tuned = method.prepare(model, Plan(task, 10))
    trained = {parameter: p.numel() for parameter, p in tuned.named_parameters() if p.requires_grad}
    assert expected == sum(
        count for parameter, count in trained.items() if not HEADS & set(parameter.split("."))
    )
    assert expected > 0


@pytest.mark.parametrize(
    ("family", "wanted", "found"),
    [
        ("gpt2", ["q_proj", "v_proj"], ["c_attn"]),
        ("gpt2", ["o_proj", "down_proj"], ["attn.c_proj", "mlp.c_proj"]),
        ("bert", ["q_proj", "v_proj"], ["query", "value"]),
        ("distilbert", ["query", "value"], ["q_lin", "v_lin"]),
        ("t5", ["q_proj", "wo"], ["q", "wo"]),
        ("qwen2", ["c_attn"], ["q_proj", "k_proj", "v_proj"]),
        ("blenderbot", ["q_proj", "fc1"], ["q_proj", "fc1"]),
    ],
)
def test_names_of_other_families_are_understood(
    family: str, wanted: list[str], found: list[str], families: Any
) -> None:
    model, task = families(family)
    told: list[str] = []
    plan = Plan(task, 10, lambda message, hint: told.append(message))
    tuned = LoRA(target_modules=wanted).prepare(model, plan)
    assert tuned.peft_config["default"].target_modules == set(found)
    assert len(told) == (wanted != found)


def test_a_name_that_means_nothing_is_refused_with_those_there_are(families: Any) -> None:
    model, task = families("qwen2")
    with pytest.raises(ModelError, match="no layer named qproj") as refused:
        LoRA(target_modules=["v_proj", "qproj"]).prepare(model, Plan(task, 10))
    assert "down_proj" in refused.value.hint


def test_specification_s_own_names_train_a_gpt2_with_one_word(
    gpt2: Path, chats: Path, tmp_path: Path
) -> None:
    tuning = {"name": "lora", "target_modules": ["q_proj", "v_proj"]}
    run = tune(gpt2, chats, tmp_path, tuning=tuning, training={"max_steps": 1})
    assert {name.split(".")[-4] for name in run.trained} == {"c_attn"}
    warnings = [str(e.data["message"]) for e in events_of(run.folder) if e.kind == "warning"]
    assert sum("c_attn" in warning for warning in warnings) == 1


def test_what_peft_refuses_is_said_in_words(families: Any) -> None:
    model, task = families("qwen2")
    with pytest.raises(ModelError, match="BOFT can't be set up on this model"):
        method_of("boft", boft_block_size=5).prepare(model, Plan(task, 10))


@pytest.mark.parametrize(("name", "option"), [("miss", "r"), ("fourier_ft", "n_frequency")])
def test_options_are_fitted_to_small_layers_with_a_word(
    name: str, option: str, families: Any
) -> None:
    model, task = families("qwen2")
    told: list[str] = []
    plan = Plan(task, 10, lambda message, hint: told.append(message))
    method_of(name, **{option: 1000}).prepare(model, plan)
    assert len(told) == 1
    assert "1000 is too much" in told[0]


def test_ia3_scales_inputs_of_the_second_feed_forward_layer(families: Any) -> None:
    model, task = families("bert")
    config = IA3().prepare(model, Plan(task, 10)).peft_config["default"]
    assert all(name.endswith("output.dense") for name in config.feedforward_modules)
    assert any(name.endswith("attention.self.key") for name in config.target_modules)
    assert not any(name.endswith("query") for name in config.target_modules)


def test_freezing_trains_the_end_of_every_stack_and_the_head(families: Any) -> None:
    model, task = families("roberta")
    method_of("freeze", trainable_layers=1).prepare(model, Plan(task, 10))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert any(".layer.1." in name for name in trained)
    assert not any(".layer.0." in name or "embeddings" in name for name in trained)
    assert {"classifier.weight", "classifier.bias"} <= trained


def test_conv1d_and_linear_compute_the_same_there_and_back(families: Any) -> None:
    model, _ = families("gpt2")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids = torch.arange(1, 9)[None]
    expected = model.eval()(input_ids=ids).logits
    conv1d.to_linear(model)
    assert not any(isinstance(module, Conv1D) for module in model.modules())
    assert isinstance(model.transformer.h[0].mlp.c_fc, nn.Linear)
    torch.testing.assert_close(model(input_ids=ids).logits, expected)
    conv1d.to_conv1d(model)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_widths_of_a_conv1d_are_the_other_way_round() -> None:
    shapes = {"h.0.mlp.c_fc.weight": (32, 128), "wte.weight": (64, 32), "h.0.ln_1.weight": (32,)}
    assert ModelShapes(shapes, {"model_type": "gpt2"}).linear_layers() == [
        Layer("h.0.mlp.c_fc", inputs=32, outputs=128)
    ]
