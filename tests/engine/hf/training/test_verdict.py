"""How runs end: ruined, no different from their base, better, or nobody can tell."""

from __future__ import annotations

import itertools
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.verdict import Verdict
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import DivergedError
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events import Event, RunFolder, read_journal
from maxaillm.dev.finetune.run.row_scores import RowScores
from tests import tiny

FULL = {"name": "full"}
HOPELESS = {
    "learning_rate": 1.0, "optim": "adafactor", "lr_scheduler_type": "constant", "max_steps": 40,
}  # fmt: skip


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    return tiny.write_lines(folder / "chats.jsonl", tiny.conversations(48))


@pytest.fixture
def tune(tmp_path: Path, llama: Path, many: Path) -> Any:
    """Run with a training section; gives the tuner and its journal."""

    def run(
        folder: str = "run", resume: Checkpoint | None = None, **training: Any
    ) -> tuple[MaxHuggingFaceFineTuning, list[Event]]:
        steps = {"max_steps": 12, "eval_steps": 4, "save_steps": 4}
        sections = {"data": {"validation_share": 0.25}, "training": steps | training}
        config = RunConfig.parse(tiny.run_config(llama, many, tuning=FULL, **sections))
        try:
            with Attempt(tmp_path / folder, lambda _: None) as attempt:
                tuner = MaxHuggingFaceFineTuning(config, attempt)
                tuner.run(resume)
        except DivergedError as error:
            assert "Lower the learning rate" in error.hint
        return tuner, list(read_journal(RunFolder(tmp_path / folder).journal))

    return run


def test_a_ruined_model_is_no_result(tune: Any, tmp_path: Path) -> None:
    tuner, journal = tune(learning_rate=1.0, max_steps=9)
    assert [event.kind for event in journal[-2:]] == ["verdict", "failed"]
    assert journal[-1].data["code"] == tuner.verdict.code == "diverged"
    folder = RunFolder(tmp_path / "run")
    assert not folder.model.exists()
    assert len(list(folder.checkpoints.glob("step-*"))) == 2  # nothing is lost
    assert not any(event.data["best"] for event in journal if event.kind == "checkpoint")


def test_a_run_that_is_lost_is_not_trained_to_its_end(tune: Any) -> None:
    tuner, journal = tune(**HOPELESS)
    assert max(event.step or 0 for event in journal) < 40
    assert "far above its start" in journal[-1].data["message"]
    assert tuner.verdict.code == "diverged"


def test_it_is_trained_to_its_end_where_that_is_asked_for(tune: Any) -> None:
    tuner, journal = tune(stop_when_diverged=False, **HOPELESS)
    assert max(event.step or 0 for event in journal) == 40
    assert tuner.verdict.code == "diverged"


def test_weights_that_stay_where_they_were_have_learned_nothing(tune: Any) -> None:
    tuner, journal = tune(learning_rate=1e-9)
    assert [event.kind for event in journal[-4:]] == ["verdict", "stage", "saved", "succeeded"]
    assert (tuner.verdict.code, tuner.verdict.level) == ("learned_nothing", "warn")
    assert "1e-09 is far below the usual" in tuner.verdict.explanation


def test_a_run_that_goes_on_is_judged_by_the_base_it_began_with(tune: Any, tmp_path: Path) -> None:
    straight, _ = tune(learning_rate=1e-2)
    assert (straight.verdict.code, straight.verdict.level) == ("better", "ok")
    assert straight.verdict.comparison.low > 0
    checkpoint = Checkpoint.read(tmp_path / "run" / "checkpoints" / "step-0000008")
    resumed, _ = tune("second", checkpoint, learning_rate=1e-2)
    assert resumed.verdict == straight.verdict


def test_the_best_model_is_the_best_of_those_better_than_the_base(tune: Any) -> None:
    """At this rate the first evaluations are worse than the base; none is called the best."""
    keeps = {"load_best_model_at_end": True, "stop_when_diverged": False}
    tuner, journal = tune(learning_rate=1.0, max_steps=8, **keeps)
    assert not any(event.data["best"] for event in journal if event.kind == "checkpoint")
    assert tuner.verdict.code == "diverged"


def test_the_command_says_it_and_its_exit_code_too(
    llama: Path, many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"max_steps": 9, "learning_rate": 1.0}
    config = tmp_path / "config.json"
    config.write_text(json.dumps(tiny.run_config(llama, many, tuning=FULL, training=options)))
    code = main(["train", str(config), "--folder", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert code == DivergedError.exit_code
    assert "Diverged: training ruined the model" in err
    assert "Lower the learning rate: training.learning_rate=" in err
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    verdict = next(line["data"] for line in lines if line["kind"] == "verdict")
    assert Verdict.model_validate(verdict).code == "diverged"


def test_a_program_hears_warnings_where_it_gave_no_listener(tmp_path: Path) -> None:
    with Attempt(tmp_path) as attempt, pytest.warns(UserWarning, match="cut to 64 tokens. Raise"):
        attempt.warn("3 of 9 rows were cut to 64 tokens.", "Raise data.max_length.")
    with warnings.catch_warnings(), Attempt(tmp_path, lambda _: None) as attempt:
        warnings.simplefilter("error")
        attempt.warn("The listener hears it.")


def test_the_doctor_speaks_while_it_trains_and_says_nothing_twice(tune: Any) -> None:
    tuner, journal = tune()
    told = [event.data["findings"] for event in journal if event.kind == "advice"]
    assert told
    assert all(one != other for one, other in itertools.pairwise(told))
    assert {"truncation", "end_token"} <= {finding.code for finding in tuner.findings}
    assert [Finding.model_validate(found) for found in told[-1]] == tuner.findings


def test_a_run_that_goes_on_knows_what_it_measured_before(tune: Any, tmp_path: Path) -> None:
    whole, _ = tune("whole")
    found = Checkpoint.read(tmp_path / "whole" / "checkpoints" / "step-0000008")
    resumed, _ = tune("resumed", found)
    for name in ("losses", "grad_norms", "rates"):
        known = getattr(resumed.history, name)
        assert known == pytest.approx(getattr(whole.history, name), rel=1e-5)
    assert resumed.history.timed_steps == whole.history.timed_steps - 2  # which warm up anew
    assert 0 < resumed.history.input_share < 1
    assert resumed.history.ends == whole.history.ends
    assert [found.step for found in resumed.history.evaluations] == [
        found.step for found in whole.history.evaluations
    ]


def test_two_runs_are_compared_row_by_row(tune: Any, tmp_path: Path) -> None:
    """Each leaves what its held-out rows gave; the differences of two are paired by it."""
    good, _ = tune("good", learning_rate=1e-2)
    idle, _ = tune("idle", learning_rate=1e-9)
    ours, theirs = (
        RowScores.read(RunFolder(tmp_path / name).row_scores) for name in ("good", "idle")
    )
    assert ours is not None and theirs is not None
    found = ours.beside(theirs, "eval_loss", same_data=True)
    assert found is not None
    assert found.tuned == pytest.approx(good.final_scores["eval_loss"])
    assert found.base == pytest.approx(idle.final_scores["eval_loss"])
    assert found.rows == len(ours.by_metric["eval_loss"]) == 12
    assert found.low is not None and 0 < found.low < found.gain
    other = theirs._replace(tokens="others", examples="others")
    assert ours.beside(other, "eval_loss", same_data=True) is None
