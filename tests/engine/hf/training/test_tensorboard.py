"""TensorBoard's files: the journal's curves, each step once, also after a kill and a resume."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from tests.engine.conftest import Train, losses

Curve = list[tuple[int, float]]


def records(path: Path) -> Iterator[Event]:
    """TFRecord: length, its checksum, the event, its checksum."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += length + 16


def curves(folder: Path) -> dict[str, Curve]:
    """What TensorBoard shows: a file that begins with a session takes the place of later steps."""
    found: dict[str, Curve] = {}
    for path in sorted((folder / "tensorboard").glob("events.out.tfevents.*"), key=number):
        for event in records(path):
            if event.HasField("session_log"):
                for tag, points in found.items():
                    found[tag] = [point for point in points if point[0] < event.step]
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def number(path: Path) -> tuple[int, int]:
    return path.stat().st_mtime_ns, path.stat().st_ino


def test_a_run_and_its_resumption_are_one_curve(llama: Path, train: Train, tmp_path: Path) -> None:
    training: dict[str, Any] = {"save_steps": 2, "eval_steps": 2}
    whole = train(llama, "whole", training=training)
    found = curves(tmp_path / "whole")
    expected = [(step, pytest.approx(loss)) for step, loss in losses(whole).items()]
    assert found["train/loss"] == expected
    assert {step for step, _ in found["eval/loss"]} >= {0, 2}
    assert "train/learning_rate" in found

    middle = tmp_path / "whole" / "checkpoints" / "step-0000002"
    train(llama, "next", Checkpoint.read(middle), training=training)
    for folder in ("next", "whole"):
        assert curves(tmp_path / folder)["train/loss"] == expected
    again = shutil.copytree(tmp_path / "whole" / "checkpoints", tmp_path / "kept")
    train(llama, "whole", Checkpoint.read(again / "step-0000002"), training=training)
    assert curves(tmp_path / "whole")["train/loss"] == expected
    train(llama, "whole", training=training)
    found = curves(tmp_path / "whole")
    assert found["train/loss"] == expected
    steps = [step for step, _ in found["eval/loss"]]
    assert len(steps) == len(set(steps))
