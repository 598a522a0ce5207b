"""A run goes on from its newest whole checkpoint, and nobody can tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.errors import CheckpointError, DiskFullError
from maxaillm.dev.finetune.run.checkpoints import Checkpoint, newest_verified, prune, sha256
from maxaillm.dev.finetune.run.events import Event, JournalReader
from tests.engine.conftest import Train, losses


def test_resume_after_the_last_step_only_saves(llama: Path, train: Train, tmp_path: Path) -> None:
    first = train(llama, "first", training={"save_steps": 2})
    last = Checkpoint.read(tmp_path / "first" / "checkpoints" / "step-0000004")
    second = train(llama, "second", last, training={"save_steps": 2})
    assert not losses(second)
    assert second[-1].step == 4
    assert second[-1].data["metrics"]["eval_loss"] == first[-1].data["metrics"]["eval_loss"]  # type: ignore[call-overload, index]


@pytest.mark.parametrize("fault", ["cut", "missing", "altered", "empty", "extra", "no manifest"])
def test_damaged_checkpoint_is_never_used(
    llama: Path, train: Train, tmp_path: Path, fault: str
) -> None:
    train(llama, training={"save_steps": 2})
    folder = tmp_path / "run" / "checkpoints"
    newest = folder / "step-0000004"
    damage(newest, fault)
    checkpoint, damaged = newest_verified([folder])
    assert checkpoint is not None
    assert checkpoint.step == 2
    assert len(damaged) == 1


def damage(folder: Path, fault: str) -> None:
    weights = folder / "adapter_model.safetensors"
    content = weights.read_bytes()
    if fault == "cut":
        weights.write_bytes(content[:-10])
    elif fault == "missing":
        (folder / "optimizer.pt").unlink()
    elif fault == "altered":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif fault == "extra":
        (folder / "training_args.bin").write_bytes(b"x")
    elif fault == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        for path in folder.iterdir():
            path.unlink()


@pytest.mark.parametrize(
    "changed",
    [
        {"training": {"max_steps": 4, "learning_rate": 1e-4}},
        {"tuning": {"name": "lora", "r": 4}},
        {"data": {"max_length": 32}},
    ],
)
def test_checkpoint_of_another_run_is_refused(
    llama: Path, train: Train, tmp_path: Path, changed: dict[str, Any]
) -> None:
    train(llama, "first", training={"save_steps": 2})
    checkpoint, _ = newest_verified([tmp_path / "first" / "checkpoints"])
    with pytest.raises(CheckpointError, match="belongs to another run"):
        train(llama, "second", checkpoint, **changed)


def test_last_two_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    for step in (1, 2, 3, 4, 5):
        (folder / f"step-{step:07d}").mkdir(parents=True)
    prune(folder, best_step=2)
    assert sorted(path.name[-1] for path in folder.iterdir()) == ["2", "4", "5"]


def test_full_disk_ends_the_run_and_keeps_the_last_checkpoint(
    llama: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    free = iter([10**9, 0, 0, 0])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=next(free)))
    with pytest.raises(DiskFullError, match="MB are free"):
        train(llama, training={"save_steps": 1})
    assert newest_verified([tmp_path / "run" / "checkpoints"])[0] is not None
    events = JournalReader(tmp_path / "run" / "events.jsonl").read()
    assert events[-1].data["code"] == "disk_full"


def test_a_longer_run_goes_on_with_the_rates_of_its_own_length(
    llama: Path, train: Train, tmp_path: Path
) -> None:
    """Of a linear schedule, which had fallen to nothing; the rows go on in their order."""
    options = {"lr_scheduler_type": "linear", "save_steps": 2}
    first = train(llama, "first", training=options | {"max_steps": 4})
    unbroken = train(llama, "unbroken", training=options | {"max_steps": 8})
    last = Checkpoint.read(tmp_path / "first" / "checkpoints" / "step-0000004")
    longer = train(llama, "longer", last, training=options | {"max_steps": 8})
    assert list(logged(longer, "loss")) == [5, 6, 7, 8]
    rates = logged(unbroken, "learning_rate")
    assert logged(first, "learning_rate")[4] < rates[4]
    assert logged(longer, "learning_rate") == {step: rates[step] for step in (5, 6, 7, 8)}
    for name in ("tokens", "epoch"):
        assert logged(longer, name)[8] == logged(unbroken, name)[8]


def logged(events: list[Event], name: str) -> dict[int, Any]:
    return {event.step or 0: event.data[name] for event in events if event.kind == "log"}


def test_the_best_model_of_before_is_kept(llama: Path, train: Train, tmp_path: Path) -> None:
    """A run that goes on elsewhere, and gets worse there, ends with the weights of before."""
    options = {
        "load_best_model_at_end": True, "eval_steps": 2, "save_steps": 2,
        "lr_scheduler_type": "constant", "learning_rate": 1e-2,
    }  # fmt: skip
    first = train(llama, "first", training=options | {"max_steps": 2})
    best = tmp_path / "first" / "checkpoints" / "step-0000002"
    state = json.loads((best / "trainer_state.json").read_text())
    assert state["best_global_step"] == 2, first
    state["best_metric"] = 0.0  # nothing beats it
    (best / "trainer_state.json").write_text(json.dumps(state))
    manifest = json.loads((best / "manifest.json").read_text())
    manifest["files"]["trainer_state.json"] = sha256(best / "trainer_state.json")
    (best / "manifest.json").write_text(json.dumps(manifest))
    train(llama, "second", Checkpoint.read(best), training=options | {"max_steps": 6})
    weights = "adapter_model.safetensors"
    kept = tmp_path / "second" / "model" / weights
    assert kept.read_bytes() == (best / weights).read_bytes()
