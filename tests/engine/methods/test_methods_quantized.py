"""Tuning on a base that is held in 8 or 4 bits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError
from maxaillm.dev.finetune.estimate import estimate
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.methods import Plan, methods
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests import tiny
from tests.engine.methods.cases import logits_of, tune, tuning_of

bitsandbytes = pytest.importorskip("bitsandbytes")
LAYERS = {"8bit": bitsandbytes.nn.Linear8bitLt, "4bit": bitsandbytes.nn.Linear4bit}
each_width = pytest.mark.parametrize("bits", LAYERS)


def opened(folder: Path, bits: str) -> Any:
    held = loading.quantization_options(bits, torch.float32, torch.device("cpu"))
    return loading.load_model(folder, torch.float32, **held).model


@pytest.mark.parametrize(
    ("name", "bits"),
    [(name, bits) for name, method in methods.items() for bits in sorted(method.quantizes)],
)
def test_method_learns_on_a_quantized_base(name: str, bits: str, llama: Path) -> None:
    method = RunConfig.parse({"model": {"name": "x"}, "tuning": tuning_of(name)}).tuning
    torch.manual_seed(0)
    model = method.prepare(opened(llama, bits), Plan("CAUSAL_LM", 10)).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.is_floating_point() for p in trained)
    before = logits_of(model)
    optimizer = torch.optim.SGD(trained, lr=1.0)
    ids = torch.arange(20, 40)[None]
    for _ in range(2):
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.square().mean().backward()
        optimizer.step()
    assert not logits_of(model).equal(before)


@each_width
@pytest.mark.parametrize("size", [48, 128], ids=["odd", "even"])
def test_a_quantized_base_passes_gradients_on_after_it_was_measured(
    bits: str, size: int, tmp_path: Path
) -> None:
    base = tiny.make_llama(tmp_path / "base", hidden_size=size, intermediate_size=size)
    method = RunConfig.parse({"model": {"name": "x"}, "tuning": tuning_of("lora")}).tuning
    model = method.prepare(opened(base, bits), Plan("CAUSAL_LM", 10))
    ids = torch.arange(20, 40)[None]

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        torch.manual_seed(0)  # of dropout
        model.train()(input_ids=ids).logits.square().mean().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    before = gradients()
    logits_of(model.eval())
    torch.testing.assert_close(gradients(), before, rtol=0, atol=0)
    assert any(gradient.any() for gradient in before)


@each_width
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_adapter_trained_on_few_bits_lies_on_the_whole_base(
    family: str, bits: str, request: Any, chats: Path, tmp_path: Path
) -> None:
    base = request.getfixturevalue(family)
    assert any(isinstance(module, LAYERS[bits]) for module in opened(base, bits).modules())
    run = tune(base, chats, tmp_path, tuning=tuning_of("lora"), model={"quantization": bits})
    assert all("lora_" in name for name in run.changed)
    llm = MaxHuggingFaceLLM(run.model, device="cpu", base=base, precision="fp32")
    assert torch.allclose(logits_of(llm.model), run.logits, atol=0.2)  # but for the rounding


@pytest.mark.parametrize("name", [name for name, method in methods.items() if not method.quantizes])
def test_other_methods_refuse_a_quantized_base(
    name: str, llama: Path, chats: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="Quantization does not apply to"):
        tune(llama, chats, tmp_path, tuning=tuning_of(name), model={"quantization": "4bit"})


def test_fewer_bits_need_less_memory(llama: Path, chats: Path) -> None:
    def weights(bits: str) -> int:
        sections = {"tuning": tuning_of("lora"), "model": {"quantization": bits}}
        config = RunConfig.parse(tiny.run_config(llama, chats, **sections))
        return estimate(config).memory_bytes.weights

    assert weights("4bit") < weights("8bit") < weights("none")


def test_what_no_one_asked_to_hold_in_few_bits_is_opened_without_a_word(llama: Path) -> None:
    program = f"from maxaillm.model.opening import open_model; open_model({str(llama)!r})"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "bitsandbytes" not in done.stderr + done.stdout
    assert "kernels" not in done.stderr + done.stdout


def test_without_bitsandbytes_the_next_step_is_told(
    llama: Path, chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(FineTuneError, match="bitsandbytes") as refused:
        tune(llama, chats, tmp_path, tuning=tuning_of("lora"), model={"quantization": "4bit"})
    assert "pip install" in refused.value.hint
