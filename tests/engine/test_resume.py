"""A run that was killed goes on from its newest whole checkpoint, and nobody can tell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.checkpoints import Checkpoint, newest_verified, prune
from maxaillm.dev.finetune.errors import CheckpointError, DiskFullError
from maxaillm.dev.finetune.events import JournalReader, RunFolder, read_journal
from tests import tiny
from tests.engine.conftest import Train, losses

PROGRAM = [sys.executable, "-m", "maxaillm.dev.finetune", "train"]
STEPS = {"max_steps": 30, "save_steps": 4, "eval_steps": 5, "gradient_accumulation_steps": 2}


@pytest.mark.faults
@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_killed_run_goes_on_bit_for_bit(
    llama: Path, chats: Path, tmp_path: Path, method: str, packing: bool, train: Train
) -> None:
    sections: dict[str, Any] = {
        "tuning": {"name": method},
        "training": STEPS,
        "data": {"packing": packing},
    }
    unbroken = train(llama, "unbroken", **sections)

    file = tmp_path / "run.json"
    file.write_text(json.dumps(tiny.run_config(llama, chats, **sections)))
    killed = RunFolder(tmp_path / "killed")
    kill_at_step(file, killed, 14)
    checkpoint, damaged = newest_verified([killed.checkpoints])
    assert checkpoint is not None
    assert not damaged
    assert 8 <= checkpoint.step < 30

    resumed = train(llama, "resumed", checkpoint, **sections)
    first, second = losses(unbroken), losses(resumed)
    assert list(second) == list(range(checkpoint.step + 1, 31))
    assert second == {step: first[step] for step in second}
    before = losses(list(read_journal(killed.journal)))
    assert {step: first[step] for step in before} == before
    assert resumed[-1].data["metrics"]["eval_loss"] == unbroken[-1].data["metrics"]["eval_loss"]  # type: ignore[call-overload, index]


def kill_at_step(config: Path, folder: RunFolder, step: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "")}
    command = [*PROGRAM, str(config), "--folder", str(folder.root), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = json.loads(line)
            if event["kind"] == "log" and event["step"] >= step:
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL


@pytest.mark.faults
def test_sigterm_saves_a_checkpoint_and_ends_in_order(
    llama: Path, chats: Path, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    config = tiny.run_config(llama, chats, training={"max_steps": 5000, "save_steps": 1000})
    file.write_text(json.dumps(config))
    folder = RunFolder(tmp_path / "run")
    command = [*PROGRAM, str(file), "--folder", str(folder.root), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if json.loads(line)["kind"] == "log":
                child.terminate()
                break
        rest = [json.loads(line) for line in child.stdout]
    assert child.returncode == 0
    assert rest[-1]["kind"] == "stopped"
    assert rest[-1]["data"] == {"action": "release", "saved": True}
    checkpoint, _ = newest_verified([folder.checkpoints])
    assert checkpoint is not None
    assert checkpoint.step == rest[-1]["step"]


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
