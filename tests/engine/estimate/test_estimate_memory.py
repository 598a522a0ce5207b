"""The memory of a run, told from sizes alone, is what the run takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.estimate_accuracy import TARGET, Case, Workshop
from benchmarks.made_up import CAUSAL, CLASSES, PAIRS
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.estimate import Estimate, estimate, machine
from maxaillm.dev.finetune.methods import methods
from tests import tiny
from tests.engine.methods.matrix import rows_for
from tests.families import FAMILIES

GIGA = 10**9
SEVEN_B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "vocab_size": 32_000,
}


@pytest.fixture(scope="module")
def seven_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The headers of a Llama of 7 B parameters, without the weights."""
    folder = tmp_path_factory.mktemp("seven-b")
    shapes = {"model.embed_tokens": [32_000, 4096], "lm_head": [32_000, 4096]}
    for number in range(32):
        block = f"model.layers.{number}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{block}.self_attn.{name}"] = [4096, 4096]
        shapes[f"{block}.mlp.gate_proj"] = shapes[f"{block}.mlp.up_proj"] = [11_008, 4096]
        shapes[f"{block}.mlp.down_proj"] = [4096, 11_008]
        shapes[f"{block}.input_layernorm"] = shapes[f"{block}.post_attention_layernorm"] = [4096]
    header = json.dumps({f"{name}.weight": {"shape": shape} for name, shape in shapes.items()})
    content = len(header).to_bytes(8, "little") + header.encode()
    (folder / "model.safetensors").write_bytes(content)
    (folder / "config.json").write_text(json.dumps(SEVEN_B))
    return tiny.save_tokenizer(folder)


@pytest.fixture(scope="module")
def long_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "long.jsonl"
    return tiny.write_lines(path, [{"text": "word " * 2000} for _ in range(4)])


@pytest.mark.parametrize(("recompute", "counted"), [(True, 14.6), (False, 48.6)])
def test_a_large_model_on_a_gpu_needs_what_its_tensors_add_up_to(
    seven_b: Path,
    long_text: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    recompute: bool,
    counted: float,
) -> None:
    """Counted once by running the model on torch's `meta` device, one row of 2048 tokens, LoRA;
    attention there is not fused, as it is on a GPU, so that count is rather high."""
    monkeypatch.setattr(machine, "gpu_free_bytes", lambda: 80 * GIGA)
    needed = estimate(
        RunConfig.parse(
            {
                "model": {"name": str(seven_b), "gradient_checkpointing": recompute},
                "data": {"train_file": str(long_text), "max_length": 2048},
                "training": {"per_device_train_batch_size": 1},
                "tuning": {"name": "lora"},
            }
        ),
        kept=tmp_path,  # which knows of no earlier run
    )
    assert needed.total_parameters == pytest.approx(6.74e9, rel=0.01)
    assert needed.memory_bytes.total / GIGA == pytest.approx(counted, rel=0.2)
    assert needed.memory_bytes.weights / GIGA == pytest.approx(13.6, rel=0.02)
    assert needed.seconds is None


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


def model(shelf: Path, family: str) -> Path:
    folder = shelf / family
    return folder if folder.exists() else FAMILIES[family](folder)


def of(base: Path, task: str | None, method: str = "full", /, **sections: Any) -> Estimate:
    rows = rows_for(task or "causal_lm")
    file = tiny.write_lines(base / f"rows-{task}.jsonl", rows)
    config = tiny.run_config(base, file, tuning={"name": method}, **{"task": task, **sections})
    return estimate(RunConfig.parse(config))


HOMES = {
    "gpt2": "causal_lm",
    "llama": "causal_lm",
    "gemma": "preference",
    "phi3": "sequence_classification",
    "t5": "seq2seq_lm",
    "bart": "seq2seq_lm",
    "blenderbot": "seq2seq_lm",
    "bert": "token_classification",
    "roberta": "sequence_classification",
    "distilbert": "masked_lm",
}


@pytest.mark.parametrize("family", HOMES)
def test_less_is_kept_of_smaller_batches_and_with_checkpointing(shelf: Path, family: str) -> None:
    base, task = model(shelf, family), HOMES[family]

    def kept(size: int, *, again: bool = False) -> int:
        training = {"per_device_train_batch_size": size, "max_steps": 2}
        sections = {"training": training, "model": {"gradient_checkpointing": again}}
        return of(base, task, **sections).memory_bytes.activations

    assert kept(1) < kept(4)
    assert kept(4, again=True) < kept(4)


@pytest.mark.parametrize("optim", ["adafactor", "sgd", "adamw_bnb_8bit"])
def test_lean_optimizers_keep_less(shelf: Path, optim: str) -> None:
    base = model(shelf, "llama")
    lean = of(base, "causal_lm", training={"optim": optim, "max_steps": 2})
    usual = of(base, "causal_lm")
    assert lean.memory_bytes.optimizer < usual.memory_bytes.optimizer / 3
    assert usual.memory_bytes.optimizer == 8 * usual.trainable_parameters


@pytest.mark.parametrize("method", methods)
def test_a_method_that_keeps_the_base_keeps_no_gradients_of_it(shelf: Path, method: str) -> None:
    found = of(model(shelf, "llama"), "causal_lm", method)
    assert found.memory_bytes.optimizer == 8 * found.trainable_parameters
    assert found.trainable_parameters > 0
    assert found.memory_bytes.total > sum(found.memory_bytes[:4])


def test_processes_share_the_memory_of_a_machine(shelf: Path) -> None:
    base = model(shelf, "llama")
    one, two = (
        of(base, "causal_lm", training={"devices": count, "max_steps": 2}) for count in (1, 2)
    )
    assert two.memory_bytes.total == pytest.approx(2 * one.memory_bytes.total, rel=0.01)
    assert two.tokens > one.tokens


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        Case("llama", "small", CAUSAL, "lora", 8, 256),
        Case("t5", "small", PAIRS, "full", 8, 128),
        Case("bert", "small", CLASSES, "full", 8, 256, recompute=True),
    ],
    ids=str,
)
def test_a_run_takes_what_was_said(tmp_path: Path, case: Case) -> None:
    assert Workshop(tmp_path).run(case).memory == pytest.approx(1, abs=TARGET)
