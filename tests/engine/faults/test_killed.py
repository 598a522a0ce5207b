"""A run of a real process that was killed goes on from its newest whole checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.hf.training.trainers import step
from maxaillm.dev.finetune.run import checkpoints
from maxaillm.dev.finetune.run.checkpoints import newest_verified
from maxaillm.dev.finetune.run.events import RunFolder, read_journal
from tests import tiny
from tests.engine.conftest import Train, losses
from tests.forked import Forked

PROGRAM = [sys.executable, "-m", "maxaillm.dev.finetune", "train"]
STEPS = {"max_steps": 30, "save_steps": 4, "eval_steps": 5, "gradient_accumulation_steps": 2}
TEN_STEPS: dict[str, Any] = {
    "max_steps": 10,
    "save_steps": 5,
    "save_total_limit": 9,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 2,
}


@pytest.mark.parametrize(
    ("method", "packing"),
    [
        ("lora", True),
        ("full", False),
        pytest.param("lora", False, marks=pytest.mark.slow),
        pytest.param("full", True, marks=pytest.mark.slow),
    ],
)
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
    killed = Forked(main, ["train", str(config), "--folder", str(folder.root), "--json"])
    for event in killed.told():
        if event["kind"] == "log" and event["step"] >= step:
            killed.process.kill()
    assert killed.end() == -signal.SIGKILL


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


def killed_within(within: str, *arguments: str) -> None:
    """Train until the second of the saves has come so far."""
    calls = count(1)

    def deadly(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if next(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    owner, name = {
        "optimizer": (step.StepTrainer, "_save_optimizer_and_scheduler"),
        "manifest": (checkpoints, "write_atomically"),
    }[within]
    setattr(owner, name, deadly(getattr(owner, name)))
    main(["train", *arguments])


@pytest.mark.parametrize("within", ["optimizer", "manifest"])
def test_a_kill_within_a_save_costs_the_steps_since_the_last(
    llama: Path, chats: Path, tmp_path: Path, within: str, train: Train
) -> None:
    sections: dict[str, Any] = {"training": TEN_STEPS, "tuning": {"name": "full"}}
    unbroken = train(llama, "unbroken", **sections)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(tiny.run_config(llama, chats, **sections)))
    folder = RunFolder(tmp_path / "killed")
    killed = Forked(killed_within, within, str(file), "--folder", str(folder.root), "--json")
    assert killed.end() == -signal.SIGKILL
    checkpoint, damaged = newest_verified([folder.checkpoints])
    assert checkpoint is not None
    assert checkpoint.step == 5
    assert not damaged
    resumed = train(llama, "resumed", checkpoint, **sections)
    assert losses(resumed) == {step: losses(unbroken)[step] for step in range(6, 11)}


def with_a_save_that_never_ends(*arguments: str) -> None:
    """Train; from the second checkpoint on, the thread that makes them whole does not get on."""
    real = checkpoints.sha256

    def stuck(path: Path) -> str:
        if path.parent.name == "checkpoint-6":
            threading.Event().wait()
        return real(path)

    checkpoints.sha256 = stuck
    main(["train", *arguments])


def test_a_kill_beside_a_save_that_is_under_way_leaves_whole_checkpoints_only(
    llama: Path, chats: Path, tmp_path: Path, train: Train
) -> None:
    sections: dict[str, Any] = {"training": {**TEN_STEPS, "save_steps": 3}}
    unbroken = train(llama, "unbroken", **sections)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(tiny.run_config(llama, chats, **sections)))
    folder = RunFolder(tmp_path / "killed")
    killed = Forked(with_a_save_that_never_ends, str(file), "--folder", str(folder.root), "--json")
    for event in killed.told():
        if event["kind"] == "log" and event["step"] == 8:
            killed.process.kill()
    assert killed.end() == -signal.SIGKILL
    told = [event.step for event in read_journal(folder.journal) if event.kind == "checkpoint"]
    assert told == [3]
    checkpoint, damaged = newest_verified([folder.checkpoints])
    assert checkpoint is not None
    assert checkpoint.step == 3
    assert not damaged
    resumed = train(llama, "resumed", checkpoint, **sections)
    assert losses(resumed) == {step: losses(unbroken)[step] for step in range(4, 11)}
