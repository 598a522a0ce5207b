"""Trackers: they get the journal's curves, and whatever becomes of them, the run goes on.

The tracker is a package with what transformers' MLflow callback uses of MLflow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig, legacy
from maxaillm.dev.finetune.hf.training import tracking
from maxaillm.dev.finetune.run.checkpoints import Checkpoint
from maxaillm.dev.finetune.run.events import Event
from tests.engine.conftest import Train, losses

PACKAGE = """
import json, os, time
from types import SimpleNamespace as Some

__version__ = "3.0"
utils = Some(validation=Some(MAX_PARAM_VAL_LENGTH=500, MAX_PARAMS_TAGS_PER_BATCH=100))
_run = None


def _write(**what):
    with open(os.environ["MLFLOW_TRACKING_URI"].rpartition("@")[2], "a") as file:
        file.write(json.dumps(what) + chr(10))


def is_tracking_uri_set(): return True
def get_tracking_uri(): return "https://someone:secret@tracker.example/"
def active_run(): return _run


def start_run(run_name, nested):
    global _run
    key = os.environ.get("MLFLOW_RUN_ID") or f"run-{time.monotonic_ns()}"
    _run = Some(info=Some(experiment_id="7", run_id=key))
    _write(begun=key, name=run_name)


def log_params(params, synchronous): _write(params=params)


def log_metrics(metrics, step, synchronous):
    if step == int(os.environ.get("MLFLOW_EXPERIMENT_NAME") or -1):
        if "hang" in os.environ["MLFLOW_TAGS"]:
            time.sleep(3600)
        raise OSError("the tracker is full")
    _write(metrics=metrics, step=step)


def set_experiment(name): pass
def set_tags(tags): pass


def end_run(status="FINISHED"):
    global _run
    _run = None
    _write(ended=status)
"""
Lines = Callable[[], list[dict[str, Any]]]
REPORTING: dict[str, Any] = {"report_to": ["mlflow"], "save_steps": 2, "eval_steps": 2}


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What was written to the tracker."""
    (tmp_path / "packages" / "mlflow").mkdir(parents=True)
    (tmp_path / "packages" / "mlflow" / "__init__.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    store = tmp_path / "store.jsonl"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(store))
    monkeypatch.setenv("MAXAILLM_RUN_ADDRESS", "https://site.example/runs/3/")
    yield lambda: [json.loads(line) for line in store.read_text().splitlines()]
    sys.modules.pop("mlflow", None)


def warnings(events: list[Event]) -> list[str]:
    return [str(event.data["message"]) for event in events if event.kind == "warning"]


def curve(lines: list[dict[str, Any]], metric: str) -> dict[int, float]:
    found = [line for line in lines if metric in line.get("metrics", ())]
    return {line["step"]: line["metrics"][metric] for line in found}


def test_a_tracker_gets_the_curves_and_a_run_that_goes_on_is_one_run_there(
    llama: Path, train: Train, tmp_path: Path, tracker: Lines
) -> None:
    events = train(llama, "whole", training=REPORTING)
    lines = tracker()
    assert curve(lines, "loss") == losses(events)
    assert curve(lines, "eval_loss").keys() >= {0, 2}
    (told,) = (event.data for event in events if event.kind == "tracked")
    assert told["tracker"] == "MLflow"
    key = lines[0]["begun"]
    assert told["address"] == f"https://tracker.example/#/experiments/7/runs/{key}"
    params = {name: value for line in lines for name, value in line.get("params", {}).items()}
    assert params["training.save_steps"] == 2
    assert params["tuning.name"] == "lora"
    assert params["run_address"] == "https://site.example/runs/3/"
    assert str(tmp_path / "data") not in json.dumps([v for n, v in params.items() if "file" in n])
    assert lines[-1] == {"ended": "FINISHED"}

    middle = Checkpoint.read(tmp_path / "whole" / "checkpoints" / "step-0000002")
    train(llama, "next", middle, training=REPORTING)
    assert {line["begun"] for line in tracker() if "begun" in line} == {key}
    assert curve(tracker(), "loss") == losses(events)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("how", ["fail", "hang"])
def test_a_tracker_that_breaks_costs_no_step(
    llama: Path, train: Train, tracker: Lines, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "2")
    monkeypatch.setenv("MLFLOW_TAGS", json.dumps(how))
    monkeypatch.setattr(tracking, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(tracking, "LAST_SECONDS", 0.5)
    events = train(llama, training=REPORTING)
    assert events[-1].kind == "succeeded"
    assert len(losses(events)) == events[-1].step
    (said,) = (text for text in warnings(events) if "MLflow" in text)
    assert ("the tracker is full" if how == "fail" else "has not answered") in said


def test_what_can_not_be_reported_to_is_said_before_the_first_step(
    llama: Path, train: Train, tracker: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    events = train(llama, training={"report_to": ["mlflow", "comet_ml"], "max_steps": 1})
    first = next(i for i, event in enumerate(events) if event.kind == "log")
    assert [text for text in warnings(events[:first]) if "reported" in text] == [
        "MLflow is not configured, so this run is not reported to it.",
        "Comet is not installed, so this run is not reported to it.",
    ]
    assert events[-1].kind == "succeeded"


@pytest.mark.parametrize(
    ("given", "read"),
    [("none", []), ("all", []), ("wandb", ["wandb"]), (["tensorboard", "mlflow"], ["mlflow"])],
)
def test_older_configurations_name_trackers_as_transformers_does(given: Any, read: Any) -> None:
    config = {"model_name": "starter/chat", "training_args": {"report_to": given}}
    assert legacy.translate(config).config.training.report_to == read
    assert RunConfig.parse({"model": {"name": "m"}}).training.report_to == []
