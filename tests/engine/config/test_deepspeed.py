"""A DeepSpeed configuration is checked before anything is loaded: what is wrong, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config import RunConfig, deepspeed
from maxaillm.dev.finetune.errors import ConfigError, FineTuneError
from maxaillm.dev.finetune.run.events import Event, read_journal
from tests import tiny
from tests.engine.conftest import Train

GOOD: dict[str, Any] = {
    "zero_optimization": {"stage": 2, "overlap_comm": False, "reduce_bucket_size": 5e8},
    "train_micro_batch_size_per_gpu": "auto",
    "bf16": {"enabled": "auto"},
}


def run(settings: Any, **training: Any) -> RunConfig:
    given = {"deepspeed": settings, "per_device_train_batch_size": 4, "devices": 2, **training}
    return RunConfig.parse({"model": {"name": "x"}, "training": given})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepspeed, "find_spec", lambda name: object())


@pytest.mark.usefixtures("installed")
def test_a_good_file_is_passed_on_with_what_it_leaves_open(tmp_path: Path) -> None:
    file = tmp_path / "ds_config.json"
    file.write_text(json.dumps(GOOD))
    found = deepspeed.checked(run(str(file)))
    assert found == deepspeed.checked(run(GOOD))
    assert found is not None
    assert found["zero_optimization"] == GOOD["zero_optimization"]
    assert found["train_batch_size"] == found["gradient_clipping"] == "auto"
    assert deepspeed.checked(run(None)) is None


@pytest.mark.parametrize(
    ("wrong", "path", "said"),
    [
        ({"zero_optimisation": {}}, "zero_optimisation", "Did you mean zero_optimization"),
        ({"zero_optimization": {"stagee": 2}}, "zero_optimization.stagee", "Did you mean stage"),
        ({"zero_optimization": 2}, "zero_optimization", "wrong kind"),
        ({"zero_optimization": {"stage": 3}}, "zero_optimization.stage", "spreads the weights"),
        ({"zero_optimization": {"stage": 7}}, "zero_optimization.stage", "no such stage"),
        (
            {"zero_optimization": {"offload_optimizer": {"device": "moon"}}},
            "zero_optimization.offload_optimizer.device",
            "moved there",
        ),
        ({"train_micro_batch_size_per_gpu": 8}, "train_micro_batch_size_per_gpu", "contradicts"),
        ({"train_batch_size": 4}, "train_batch_size", "contradicts"),
        ({"gradient_clipping": True}, "gradient_clipping", "wrong kind"),
        (
            {"optimizer": {"type": "AdamW", "params": {"lr": 1}}},
            "optimizer.params.lr",
            "contradicts",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(wrong: dict[str, Any], path: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        deepspeed.checked(run(GOOD | wrong))
    assert [problem.path for problem in caught.value.problems] == [f"training.deepspeed.{path}"]


def test_a_precision_that_contradicts_is_refused() -> None:
    config = RunConfig.parse(
        {
            "model": {"name": "x", "precision": "bf16"},
            "training": {"deepspeed": {"fp16": {"enabled": True}}},
        }
    )
    with pytest.raises(ConfigError, match="precision is bf16"):
        deepspeed.checked(config)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), ("{", "no JSON.*line 1"), ("[]", "holds no object")],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "ds_config.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=said):
        deepspeed.checked(run(str(file)))


def test_without_the_package_the_next_step_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepspeed, "find_spec", lambda name: None)
    with pytest.raises(FineTuneError, match="not installed") as caught:
        deepspeed.checked(run(GOOD))
    assert "pip install deepspeed" in caught.value.hint


def test_without_torchrun_it_is_left_out_and_said(llama: Path, train: Train) -> None:
    events: list[Event] = train(llama, training={"deepspeed": GOOD})
    assert any("torchrun" in str(e.data["message"]) for e in events if e.kind == "warning")
    assert events[-1].kind == "succeeded"


def test_the_command_says_what_is_missing_before_it_starts_processes(
    llama: Path, chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(deepspeed, "find_spec", lambda name: None)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(tiny.run_config(llama, chats, training={"deepspeed": GOOD})))
    assert main(["train", str(file), "--folder", str(tmp_path / "run")]) == 1
    assert "pip install deepspeed" in capsys.readouterr().err
    (event,) = read_journal(tmp_path / "run" / "events.jsonl")
    assert (event.kind, event.data["hint"][:16]) == ("failed", "Run: pip install")
