"""Several processes on one machine compute what one does, and none is ever left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.estimate import settle_length
from maxaillm.dev.finetune.hf.distributed import join
from maxaillm.dev.finetune.hf.loading.precision import agreed_precision
from maxaillm.dev.finetune.run.checkpoints import newest_verified
from maxaillm.dev.finetune.run.events import Event, RunFolder, read_journal
from tests import tiny
from tests.engine.conftest import Train, losses
from tests.forked import Forked
from tests.site_process import PATIENCE_SECONDS, free_port

PROGRAM = [sys.executable, "-m", "maxaillm.dev.finetune", "train"]
ROWS = 27
"""Odd, and the last step of an epoch leaves one of two processes without a row."""
STEPS: dict[str, Any] = {
    "num_train_epochs": 3,
    "max_steps": None,
    "save_steps": 4,
    "eval_steps": 5,
    "per_device_train_batch_size": 2,
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = tmp_path_factory.mktemp("odd") / "rows.jsonl"
    return tiny.write_lines(rows, tiny.conversations(ROWS))


def sections(odd: Path, *, packing: bool, **training: Any) -> dict[str, Any]:
    data = {"train_file": str(odd), "packing": packing, "validation_share": 0.07}
    return {"training": STEPS | training, "tuning": {"name": "full"}, "data": data}


class Launched:
    """A run of two processes, started as a person would."""

    def __init__(self, llama: Path, folder: Path, given: dict[str, Any], *options: str) -> None:
        self.folder = RunFolder(folder)
        file = folder.with_suffix(".json")
        given = given | {"training": given["training"] | {"devices": 2}}
        file.write_text(json.dumps(tiny.run_config(llama, folder, **given)))
        self.process = subprocess.Popen(
            [*PROGRAM, str(file), "--folder", str(folder), "--json", *options],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def told(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                yield json.loads(line)

    def until_step(self, step: int) -> None:
        for event in self.told():
            if event["kind"] == "log" and event["step"] >= step:
                return
        raise AssertionError(f"step {step} was never made")

    def trainers(self) -> list[psutil.Process]:
        launcher = psutil.Process(self.process.pid).children()[0]
        return sorted(launcher.children(), key=lambda p: p.environ()["RANK"])

    def end(self) -> list[Event]:
        """Its journal, once all of its processes are gone."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        for _ in self.told():
            pass
        self.process.wait(PATIENCE_SECONDS)
        _, alive = psutil.wait_procs(family, PATIENCE_SECONDS)
        assert not alive
        return list(read_journal(self.folder.journal))


def test_two_processes_killed_and_resumed_give_the_curve_of_one(
    llama: Path, odd: Path, tmp_path: Path, train: Train
) -> None:
    given = sections(odd, packing=False)
    one = train(llama, "one", **sections(odd, packing=False, per_device_train_batch_size=4))
    first = Launched(llama, tmp_path / "first", given)
    first.until_step(9)
    first.trainers()[1].kill()
    broken = first.end()
    assert first.process.returncode == 11
    assert broken[-1].data["code"] == "process_lost"

    checkpoint, damaged = newest_verified([first.folder.checkpoints])
    assert checkpoint is not None
    assert not damaged
    second = Launched(llama, tmp_path / "second", given, "--resume", str(checkpoint.folder))
    rest = second.end()
    assert second.process.returncode == 0
    assert rest[-1].kind == "succeeded"

    curve = losses(broken) | losses(rest)
    assert list(losses(rest)) == list(range(checkpoint.step + 1, 22))
    assert curve == pytest.approx(losses(one), abs=1e-5)
    for kind in ("eval_loss", "perplexity"):
        assert scores(rest)[kind] == pytest.approx(scores(one)[kind], abs=1e-4)
    assert {e.step: e.data["tokens"] for e in [*broken, *rest] if e.kind == "log"} == {
        e.step: e.data["tokens"] for e in one if e.kind == "log"
    }
    assert (second.folder.model / "model.safetensors").is_file()


def scores(events: list[Event]) -> Any:
    return events[-1].data["metrics"]


def test_packed_rows_are_shared_and_sigterm_leaves_a_checkpoint(
    llama: Path, odd: Path, tmp_path: Path, train: Train
) -> None:
    """The order of a step's rows does not hang on how they are divided."""
    constant = {"lr_scheduler_type": "constant"}
    given = sections(odd, packing=True, gradient_accumulation_steps=2, max_steps=5, **constant)
    one = train(llama, "one", **given)
    endless = sections(odd, packing=True, max_steps=5000, logging_steps=1, **constant)
    run = Launched(llama, tmp_path / "two", endless)
    run.until_step(5)
    run.process.send_signal(signal.SIGTERM)
    events = run.end()
    assert run.process.returncode == 0
    assert events[-1].data == {"action": "release", "saved": True}
    checkpoint, _ = newest_verified([run.folder.checkpoints])
    assert checkpoint is not None
    assert checkpoint.step == events[-1].step
    assert {step: losses(events)[step] for step in losses(one)} == pytest.approx(
        losses(one), abs=1e-5
    )


def choose() -> None:
    join(torch.device("cpu"))
    print(agreed_precision("auto", torch.device("cpu")))


@pytest.mark.parametrize(("speedups", "chosen"), [(("3", "1"), "bf16"), (("1", "3"), "fp32")])
def test_all_processes_take_the_precision_that_the_first_measures(
    speedups: tuple[str, str], chosen: str
) -> None:
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    processes = [
        Forked(choose, env=meeting | {"RANK": str(rank), "MAXAILLM_BF16_SPEEDUP": speedup})
        for rank, speedup in enumerate(speedups)
    ]
    assert [list(process.lines())[-1].strip() for process in processes] == [chosen] * 2
    assert [process.end() for process in processes] == [0, 0]


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_steps_count_all_devices(devices: int) -> None:
    given = {"per_device_train_batch_size": 2, "num_train_epochs": 2, "devices": devices}
    config = RunConfig.parse({"model": {"name": "x"}, "training": given})
    assert settle_length(config, 27)[1] == {1: 28, 2: 14, 3: 10}[devices]
