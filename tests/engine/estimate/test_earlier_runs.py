"""What finished runs took corrects the estimates of later ones on the same machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.estimate import estimate, foresee
from maxaillm.dev.finetune.estimate.earlier_runs import (
    FILE,
    KEPT,
    EarlierRun,
    Likeness,
    Ratios,
    correction,
    read,
    remember,
)
from maxaillm.dev.finetune.estimate.machine import machine_name
from tests import tiny

CHAT = Likeness("causal_lm", "lora", "llama", 1_000_000)


def keep(
    folder: Path, likeness: Likeness, steps: float, rest: float = 1.0, machine: str = ""
) -> None:
    remember(EarlierRun(machine or machine_name(), likeness, Ratios(steps, rest)), folder)


def test_a_finished_run_corrects_the_next_estimate(
    llama: Path, chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command: its run leaves a line, and `estimate` reads it."""
    monkeypatch.setenv("MAXAILLM_CACHE", str(tmp_path / "cache"))
    settings = tiny.run_config(llama, chats, training={"max_steps": 8})
    config = tmp_path / "run.json"
    config.write_text(json.dumps(settings))
    before = estimate(RunConfig.parse(settings))
    assert main(["train", str(config), "--json", "--folder", str(tmp_path / "run")]) == 0
    (kept,) = read(None)
    assert kept.likeness[:3] == ("causal_lm", settings["tuning"]["name"], "llama")
    assert kept.likeness.parameters == before.total_parameters
    foreseen = foresee(RunConfig.parse(settings)).parts
    after = estimate(RunConfig.parse(settings))
    assert after.seconds == pytest.approx(foreseen.corrected(kept.ratios))
    assert before.seconds == pytest.approx(foreseen.corrected(None))


def test_runs_alike_count_and_near_sizes_most(tmp_path: Path) -> None:
    assert correction(CHAT, tmp_path) is None
    keep(tmp_path, CHAT._replace(task="masked_lm"), 4.0)
    assert correction(CHAT, tmp_path) == Ratios(pytest.approx(4.0), pytest.approx(1.0))
    keep(tmp_path, CHAT._replace(method="full"), 3.0)
    assert correction(CHAT, tmp_path) == Ratios(pytest.approx(3.0), pytest.approx(1.0))
    keep(tmp_path, CHAT, 2.0, 1.5)
    keep(tmp_path, CHAT, 9.0, machine="another")
    assert correction(CHAT, tmp_path) == Ratios(pytest.approx(2.0), pytest.approx(1.5))
    keep(tmp_path, CHAT._replace(parameters=10**12), 0.1)
    near = correction(CHAT, tmp_path)
    assert near is not None
    assert near.steps == pytest.approx(2.0, rel=0.01)


@given(line=st.one_of(st.binary(max_size=60), st.just(b'["m", ["t", "m", "f", 1], [1e999, 1]]')))
def test_what_is_torn_or_not_ours_is_left_out(
    line: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("kept")
    (folder / FILE).write_bytes(line + b"\n")
    keep(folder, CHAT, 2.0)
    assert read(folder)[-1].ratios == Ratios(2.0, 1.0)
    assert correction(CHAT, folder) == Ratios(pytest.approx(2.0), pytest.approx(1.0))


def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    for number in range(KEPT + 10):
        keep(tmp_path, CHAT._replace(parameters=number), 1.0)
    kept = read(tmp_path)
    assert KEPT // 2 < len(kept) <= KEPT
    assert kept[-1].likeness.parameters == KEPT + 9
    keep(tmp_path, CHAT, 1e9)
    assert len(read(tmp_path)) == len(kept)
