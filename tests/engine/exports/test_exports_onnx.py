"""ONNX graphs of each kind of model, and the one file that the library writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForSequenceClassification,
)

from maxaillm.dev.finetune.errors import ExportError
from maxaillm.dev.finetune.exports.onnx import Onnx, export_onnx
from maxaillm.dev.finetune.exports.shared.export import export_model
from maxaillm.model.onnx import OnnxModel, OnnxSeq2Seq
from tests import tiny

pytestmark = pytest.mark.slow
IDS = [40, 41, 42, 90, 91]


@pytest.fixture(scope="module")
def bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "bart"
    size = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    torch.manual_seed(0)
    size = size | heads | {"vocab_size": tiny.SIZE, "max_position_embeddings": 96}
    config = BartConfig(d_model=32, **size)
    BartForConditionalGeneration(config).save_pretrained(folder)
    return tiny.save_tokenizer(folder, chat_template=False)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "bert"
    names = {0: "sour", 1: "sweet", 2: "salty"}
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tiny.SIZE,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=96,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return tiny.save_tokenizer(folder, chat_template=False)


def passed(folder: Path) -> bool:
    return bool(json.loads((folder / "parity.json").read_bytes())["passed"])


def test_one_file_goes_on_with_a_text_as_the_model_does(llama: Path, tmp_path: Path) -> None:
    """With the cache, from an empty past, and with a past of any length."""
    path = export_onnx(llama, tmp_path / "chat.onnx")
    made = {item.name for item in tmp_path.iterdir()} - {"data"}
    assert made == {"chat.onnx", "chat.onnx.data"}
    reference = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    wanted = reference.generate(
        torch.tensor([IDS]), max_new_tokens=12, do_sample=False, eos_token_id=None
    )
    model = OnnxModel(path, threads=1)
    assert model.greedy(IDS, 12) == wanted[0, len(IDS) :].tolist()
    first, past = model.step(IDS[:2], model.empty_past())
    rest, _ = model.step(IDS[2:], past)
    whole = model.logits(IDS)
    assert np.abs(np.concatenate([first, rest]) - whole).max() < 1e-5
    with pytest.raises(ExportError, match="already"):
        export_onnx(llama, path)


def test_an_encoder_and_a_decoder(bart: Path, tmp_path: Path) -> None:
    export_model(Onnx(), bart, tmp_path / "out")
    assert passed(tmp_path / "out")
    reference = BartForConditionalGeneration.from_pretrained(bart, dtype=torch.float32)
    start = reference.config.decoder_start_token_id
    said = torch.tensor([[start, 60, 61]])
    wanted = reference(input_ids=torch.tensor([IDS]), decoder_input_ids=said).logits[0]
    model = OnnxSeq2Seq(tmp_path / "out", start, threads=1)
    assert np.abs(model.logits(IDS, [60, 61]) - wanted.detach().numpy()).max() < 1e-5
    assert len(model.greedy(IDS, 5)) == 5


def test_a_classifier_keeps_its_labels(bert: Path, tmp_path: Path) -> None:
    export_model(Onnx(), bert, tmp_path / "out")
    assert passed(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "task.json").read_bytes())["labels"] == [
        "sour",
        "sweet",
        "salty",
    ]
    reference = BertForSequenceClassification.from_pretrained(bert, dtype=torch.float32)
    wanted = reference(torch.tensor([IDS])).logits[0].detach().numpy()
    found = OnnxModel(tmp_path / "out" / "model.onnx", threads=1).logits(IDS)
    assert np.abs(found - wanted).max() < 1e-5
