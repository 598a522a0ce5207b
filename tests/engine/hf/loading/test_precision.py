"""What the hardware can't do falls back with a warning; what it can changes no figure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError
from maxaillm.dev.finetune.hf.loading import hardware, precision
from maxaillm.dev.finetune.run.checkpoints import newest_verified
from maxaillm.dev.finetune.run.events import Event
from maxaillm.model.opening import open_model
from tests.engine.conftest import Train, losses

FULL: dict[str, Any] = {"tuning": {"name": "full"}}
CPU = torch.device("cpu")


def warnings(events: list[Event]) -> str:
    return "\n".join(str(event.data["message"]) for event in events if event.kind == "warning")


@pytest.mark.parametrize(
    ("wanted", "speedup", "found"),
    [
        ("auto", "2.4", "bf16"),
        ("auto", "1.1", "fp32"),
        ("auto", "0.6", "fp32"),
        ("fp16", "2.4", "fp32"),
        ("bf16", "0.6", "bf16"),
        ("fp32", "2.4", "fp32"),
    ],
)
def test_precision_on_a_cpu_is_the_quicker_one(
    wanted: str, speedup: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(precision.SPEEDUP, speedup)
    assert precision.choose_precision(wanted, CPU) == found


def test_what_is_no_precision_is_refused(llama: Path) -> None:
    with pytest.raises(FineTuneError, match="There is no precision int4"):
        open_model(llama, device="cpu", precision="int4")  # type: ignore[arg-type]


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """What is measured in this process, with a user's cache of its own."""
    found: list[float] = []
    measure = precision.measured_speedup

    def spy() -> float:
        found.append(measure())
        return found[-1]

    monkeypatch.setattr(precision, "measured_speedup", spy)
    monkeypatch.delenv(precision.SPEEDUP, raising=False)
    monkeypatch.setenv("MAXAILLM_CACHE", str(tmp_path / "cache"))
    precision.kept_speedup.cache_clear()
    yield found
    precision.kept_speedup.cache_clear()


def test_the_processor_is_measured_once_a_machine(measured: list[float]) -> None:
    first = precision.bf16_speedup()
    precision.kept_speedup.cache_clear()  # as in the next process
    assert precision.bf16_speedup() == first == measured[0] > 0
    assert len(measured) == 1


def test_the_measurement_does_not_hang_on_threads_and_leaves_them(measured: list[float]) -> None:
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            precision.bf16_speedup()
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(measured) == 1


@pytest.mark.parametrize("content", ["", "[1]", '{"a": null}', "\\xff{"])
def test_a_damaged_cache_is_made_anew(content: str, measured: list[float], tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "bf16_speedup.json"
    kept.parent.mkdir()
    kept.write_text(content)
    assert precision.bf16_speedup() in json.loads(kept.read_bytes()).values()


def test_where_nothing_can_be_kept_each_process_measures(
    measured: list[float], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    for _ in range(2):
        assert precision.bf16_speedup() > 0
        precision.kept_speedup.cache_clear()
    assert len(measured) == 2


def test_a_speedup_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(precision.SPEEDUP, "fast")
    with pytest.raises(FineTuneError, match="no number"):
        precision.bf16_speedup()


@pytest.mark.parametrize(("speedup", "dtype"), [("2.4", torch.bfloat16), ("0.6", torch.float32)])
def test_a_model_opens_in_the_quicker_precision_or_the_one_asked_for(
    speedup: str, dtype: torch.dtype, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(precision.SPEEDUP, speedup)
    assert open_model(llama, device="cpu").model.dtype == dtype
    assert open_model(llama, device="cpu", precision="fp32").model.dtype == torch.float32
    with pytest.warns(UserWarning, match="no fp16"):
        assert open_model(llama, device="cpu", precision="fp16").model.dtype == torch.float32


def test_a_run_goes_on_in_the_precision_it_was_begun_in(
    llama: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections: dict[str, Any] = {"model": {"precision": "auto"}, "training": {"save_steps": 2}}
    monkeypatch.setenv(precision.SPEEDUP, "2.4")
    whole = train(llama, "whole", **sections)
    half = newest_verified([tmp_path / "whole" / "checkpoints"], at_most=2)[0]
    monkeypatch.setenv(precision.SPEEDUP, "1.1")
    rest = train(llama, "rest", half, **sections)
    assert losses(rest) == {step: loss for step, loss in losses(whole).items() if step > 2}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": {"precision": "fp16"}}, "no fp16 on this device"),
        ({"model": {"attention": "flash_attention_2"}}, "FlashAttention needs a GPU"),
        ({"training": {"fsdp": "full_shard"}}, "not sharded"),
        ({"training": {"devices": 4}}, "this run has 1"),
    ],
)
def test_what_the_machine_lacks_falls_back_and_is_said(
    llama: Path, train: Train, asked: dict[str, Any], said: str
) -> None:
    usual = train(llama, "usual", **FULL)
    fallen = train(llama, "fallen", **FULL | asked)
    assert said in warnings(fallen)
    assert fallen[-1].kind == "succeeded"
    assert losses(fallen) == losses(usual)


def test_a_slow_precision_is_used_and_said(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(precision.SPEEDUP, "0.5")
    usual = train(llama, "usual", **FULL)
    coarse = train(llama, "coarse", model={"precision": "bf16"}, **FULL)
    assert "takes 2.0 times as long as in fp32" in warnings(coarse)
    assert losses(coarse) != losses(usual)
    assert losses(coarse) == pytest.approx(losses(usual), abs=0.05)


@pytest.mark.parametrize(
    "same",
    [
        {"model": {"gradient_checkpointing": True}},
        {"model": {"attention": "eager"}},
        {"data": {"dataloader_num_workers": 2, "dataloader_pin_memory": False}},
    ],
)
def test_how_it_is_computed_changes_no_figure(
    llama: Path, train: Train, same: dict[str, Any]
) -> None:
    usual = train(llama, "usual", **FULL)
    other = train(llama, "other", **FULL | same)
    assert losses(other) == pytest.approx(losses(usual), abs=1e-5)


@pytest.mark.slow
def test_compiled_layers_give_the_same_curve(llama: Path, train: Train) -> None:
    usual = train(llama, "usual", **FULL)
    compiled = train(llama, "compiled", **FULL | {"model": {"compile": True}})
    assert losses(compiled) == pytest.approx(losses(usual), abs=1e-4)


def test_without_a_compiler_nothing_is_compiled(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", none)
    events = train(llama, model={"compile": True}, **FULL)
    assert "No working C++ compiler" in warnings(events)
    assert events[-1].kind == "succeeded"


SCHEDULES = [
    "cosine",
    "linear",
    "constant",
    "constant_with_warmup",
    "polynomial",
    "inverse_sqrt",
    "warmup_stable_decay",
    "cosine_with_min_lr",
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_begin_with_a_warm_up(llama: Path, train: Train, schedule: str) -> None:
    training = {"max_steps": 10, "lr_scheduler_type": schedule, "warmup_ratio": 0.2}
    events = train(llama, training=training | {"learning_rate": 1e-3})
    rates = [float(str(e.data["learning_rate"])) for e in events if e.kind == "log"]
    assert max(rates) <= 1e-3
    assert rates[0] == (1e-3 if schedule == "constant" else 0)
    assert rates[2] == pytest.approx(1e-3)
    if "constant" in schedule:
        assert rates[-1] == pytest.approx(1e-3)
    elif schedule == "warmup_stable_decay":
        assert rates[2:9] == pytest.approx([1e-3] * 7)
        assert rates[-1] < 1e-3
    else:
        assert rates[2:] == sorted(rates[2:], reverse=True)
        assert rates[-1] < 1e-3


@pytest.mark.parametrize("optim", ["adamw_torch", "adafactor", "sgd", "adamw_bnb_8bit"])
def test_optimizers_learn(llama: Path, train: Train, optim: str) -> None:
    rate = 0.3 if optim == "sgd" else 3e-3
    training = {"max_steps": 8, "optim": optim, "learning_rate": rate}
    curve = losses(train(llama, training=training, **FULL))
    assert curve[8] < curve[1]


def test_without_bitsandbytes_the_optimizer_is_plain(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "find_spec", lambda name: None)
    events = train(llama, training={"optim": "adamw_bnb_8bit"})
    assert "bitsandbytes" in warnings(events)
    assert events[-1].kind == "succeeded"


def test_noise_on_embeddings_changes_training_alone(llama: Path, train: Train) -> None:
    usual = train(llama, "usual", **FULL)
    noisy = train(llama, "noisy", training={"neftune_noise_alpha": 5.0}, **FULL)
    assert losses(noisy)[1] != losses(usual)[1]
    measured = [next(e.data for e in run if e.kind == "eval") for run in (usual, noisy)]
    assert measured[0]["eval_loss"] == measured[1]["eval_loss"]


def test_as_many_checkpoints_are_kept_as_wanted(llama: Path, train: Train, tmp_path: Path) -> None:
    train(llama, training={"save_steps": 1, "save_total_limit": 3})
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*"))) == 3


def test_a_model_is_sharded_in_one_way() -> None:
    training = {"deepspeed": {"zero_optimization": {"stage": 2}}, "fsdp": "full_shard"}
    with pytest.raises(ConfigError, match="both shard"):
        RunConfig.parse({"model": {"name": "x"}, "training": training})
