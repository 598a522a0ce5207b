"""A run from configuration to model: its events, its files, its endings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import DataError, NotFiniteError, OutOfMemoryError
from maxaillm.dev.finetune.methods.lora import LoRA
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt, FolderInUseError
from maxaillm.dev.finetune.run.events import Event, RunFolder, read_journal
from maxaillm.model.llm import MaxHuggingFaceLLM
from tests import tiny
from tests.engine.conftest import Train, losses


def test_tells_every_stage_in_order(llama: Path, train: Train) -> None:
    prompts = {"sample_prompts": ["What is red?"], "max_new_tokens": 4}
    events = train(llama, training={"eval_steps": 2, "save_steps": 2}, evaluation=prompts)

    stages = [event.data["name"] for event in events if event.kind == "stage"]
    assert stages == ["load", "tokenise", "train", "evaluate", "save"]
    assert [event.kind for event in events][-2:] == ["saved", "succeeded"]
    assert [event.step for event in events if event.kind == "log"] == [1, 2, 3, 4]
    assert [event.step for event in events if event.kind == "eval"] == [0, 2, 4]
    assert [event.step for event in events if event.kind == "sample"] == [0, 2, 4]
    log = next(event.data for event in events if event.kind == "log")
    assert set(log) == {
        "loss", "learning_rate", "grad_norm", "epoch", "tokens", "tokens_per_second",
        "memory_bytes",
    }  # fmt: skip


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_tuned_model_answers_from_its_folder(
    family: str, method: str, request: Any, train: Train, tmp_path: Path
) -> None:
    train(request.getfixturevalue(family), tuning={"name": method}, training={"max_steps": 2})

    llm = MaxHuggingFaceLLM(tmp_path / "run" / "model", device="cpu")
    assert isinstance(llm.generate("What is red?", max_new_tokens=3, do_sample=False), str)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_tuned_folder_is_whole_and_tells_no_path(
    llama: Path, method: str, train: Train, tmp_path: Path
) -> None:
    train(llama, tuning={"name": method}, training={"max_steps": 1})
    folder = tmp_path / "run" / "model"

    names = {path.name for path in folder.iterdir()}
    weights = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    assert {weights, "tokenizer.json", "chat_template.jinja", "generation_config.json"} <= names
    assert "README.md" in names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))]
    told = {path.name: path.read_text() for path in folder.glob("*.json")}
    if method == "lora":  # PEFT finds the base by nothing else; an export leaves the path out
        assert json.loads(told["adapter_config.json"])["base_model_name_or_path"] == str(llama)
        told["adapter_config.json"] = told["adapter_config.json"].replace(str(llama), "")
    for name, text in told.items():
        assert str(tmp_path.parent) not in text, name
        assert str(llama) not in text, name


def test_full_tuning_keeps_the_tie_of_embeddings(llama: Path, train: Train, tmp_path: Path) -> None:
    from safetensors import safe_open

    train(llama, tuning={"name": "full"}, training={"max_steps": 1})
    with safe_open(tmp_path / "run" / "model" / "model.safetensors", "pt") as file:
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118 - no mapping


def test_held_out_rows_are_never_trained_on(llama: Path, train: Train) -> None:
    events = train(llama, data={"validation_share": 0.25})
    tokenise = next(event.data for event in events if event.data.get("name") == "tokenise")
    measured = next(event.data for event in events if event.kind == "eval")
    assert tokenise["rows"] == 24
    assert measured["rows"] == 6


def test_without_held_out_rows_evaluation_is_skipped_with_a_warning(
    llama: Path, train: Train
) -> None:
    events = train(llama, data={"validation_share": 0})
    assert not [event for event in events if event.kind == "eval"]
    assert any("held out" in str(e.data["message"]) for e in events if e.kind == "warning")
    assert events[-1].kind == "succeeded"


def test_early_stopping_saves_the_best_model(llama: Path, train: Train, tmp_path: Path) -> None:
    """With a learning rate that soon does harm, an earlier step is the best."""
    from safetensors.torch import load_file

    training = {
        "max_steps": 40, "eval_steps": 2, "save_steps": 100, "early_stopping_patience": 2,
        "learning_rate": 0.5, "lr_scheduler_type": "constant",
    }  # fmt: skip
    events = train(llama, training=training)
    measured = {e.step: e.data["eval_loss"] for e in events if e.kind == "eval"}
    best = min(measured, key=lambda step: float(str(measured[step])))
    assert events[-1].kind == "succeeded"
    assert (events[-1].step or 0) < 40
    checkpoint = tmp_path / "run" / "checkpoints" / f"step-{best:07d}"
    name = "adapter_model.safetensors"
    kept, saved = load_file(checkpoint / name), load_file(tmp_path / "run" / "model" / name)
    assert all(kept[key].equal(saved[key]) for key in saved)


@pytest.mark.parametrize(
    ("action", "kinds"),
    [
        ("cancel", ["stopped"]),
        ("save", ["stage", "saved", "stopped"]),
        ("pause", ["checkpoint", "stopped"]),
        ("release", ["checkpoint", "stopped"]),
    ],
)
def test_stop_request_is_obeyed_before_the_next_step(
    llama: Path, chats: Path, tmp_path: Path, action: Any, kinds: list[str]
) -> None:
    config = RunConfig.parse(tiny.run_config(llama, chats, training={"max_steps": 50}))
    folder = RunFolder(tmp_path / "run")

    def ask(event: Event) -> None:
        if event.kind == "log" and event.step == 3:
            folder.request_stop(action)

    with Attempt(folder.root, ask) as attempt:
        MaxHuggingFaceFineTuning(config, attempt).run()
    events = list(read_journal(folder.journal))
    after = [event.kind for event in events if event.seq > seq_of_step(events, 3)]
    assert after == kinds
    assert events[-1].data == {"action": action, "saved": action != "cancel"}
    assert folder.model.exists() == (action == "save")


def seq_of_step(events: list[Event], step: int) -> int:
    return next(event.seq for event in events if event.kind == "log" and event.step == step)


def test_stop_before_the_first_step_ends_the_run(llama: Path, chats: Path, tmp_path: Path) -> None:
    from maxaillm.dev.finetune.run.attempt import StopRequestedError

    config = RunConfig.parse(tiny.run_config(llama, chats))
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    folder.request_stop("cancel")
    with pytest.raises(StopRequestedError), Attempt(folder.root) as attempt:
        MaxHuggingFaceFineTuning(config, attempt).run()
    assert list(read_journal(folder.journal))[-1].kind == "stopped"


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(
    llama: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ruin(self: LoRA, model: Any, step: int) -> None:
        if step == 3:
            next(p for p in model.parameters() if p.requires_grad).data.fill_(float("nan"))

    monkeypatch.setattr(LoRA, "after_step", ruin)
    with pytest.raises(NotFiniteError, match="loss became NaN at step 4") as caught:
        train(llama, training={"max_steps": 10, "save_steps": 2, "logging_steps": 10})
    assert "0.001" in caught.value.hint
    lines = (tmp_path / "run" / "events.jsonl").read_text()
    assert "NaN" not in lines.replace("became NaN", "")
    events = list(read_journal(tmp_path / "run" / "events.jsonl"))
    assert events[-1].data["code"] == "not_finite"
    bad = [event for event in events if event.kind == "log"][-1]
    assert bad.data["loss"] is None
    assert "loss" in (bad.data["not_finite"] or [])  # type: ignore[operator]
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("step*")] == [
        "step-0000002"
    ]


def test_exhausted_memory_says_what_to_change(
    llama: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(self: LoRA, model: Any, step: int) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 99 bytes")

    monkeypatch.setattr(LoRA, "after_step", exhausted)
    with pytest.raises(OutOfMemoryError) as caught:
        train(llama)
    assert "per_device_train_batch_size to 1" in caught.value.hint


def test_a_second_process_is_refused_the_folder(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = f"""
from pathlib import Path
from maxaillm.dev.finetune.run.attempt import Attempt, FolderInUseError
try:
    Attempt(Path({str(tmp_path)!r})).__enter__()
except FolderInUseError:
    print("refused")
"""
    with Attempt(tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
    assert done.stdout.strip() == "refused"
    assert FolderInUseError.exit_code == 9


def test_a_run_without_anything_to_learn_is_refused(
    llama: Path, tmp_path: Path, train: Train
) -> None:
    turns = [{"role": "user", "content": "x" * 200}, {"role": "assistant", "content": "y"}]
    data = tiny.write_lines(tmp_path / "long.jsonl", [{"messages": turns}])
    with pytest.raises(DataError, match=r"None of the training rows can be learned from"):
        train(llama, data={"train_file": str(data)})


@pytest.mark.parametrize("method", ["lora", "full"])
def test_mixed_precision_trains_to_nearly_the_same(llama: Path, train: Train, method: str) -> None:
    shared: dict[str, Any] = {"tuning": {"name": method}, "training": {"max_steps": 6}}
    whole = losses(train(llama, "fp32", **shared))
    mixed = losses(train(llama, "bf16", **shared, model={"precision": "bf16"}))
    assert mixed != whole
    assert mixed == pytest.approx(whole, rel=2e-2)


def test_logged_loss_falls(llama: Path, train: Train) -> None:
    made = losses(train(llama, training={"max_steps": 12, "learning_rate": 1e-2}))
    assert made[12] < made[1] - 0.2


def test_config_of_the_run_lies_in_its_folder(llama: Path, chats: Path, tmp_path: Path) -> None:
    from maxaillm.dev.finetune.__main__ import main

    file = tmp_path / "run.json"
    file.write_text(json.dumps(tiny.run_config(llama, chats)))
    code = main(
        ["train", str(file), "training.max_steps=1", "--folder", str(tmp_path / "a"), "--json"]
    )
    assert code == 0
    assert json.loads((tmp_path / "a" / "run.json").read_text())["training"]["max_steps"] == 1
