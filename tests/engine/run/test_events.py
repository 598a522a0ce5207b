"""Events in a journal: typed where their kind is known, kept whatever they are."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from maxaillm.dev.finetune.cli.console import ProgressLine
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.run.events import Event, EventError, RunFolder, kinds, read_journal
from maxaillm.dev.finetune.run.events.payload import KINDS

EXAMPLES: dict[str, dict[str, Any]] = {
    "stage": {"name": "train", "total_steps": 9},
    "resumed": {"checkpoint": "step-0000003"},
    "merged": {"adapter": "model"},
    "tracked": {"tracker": "MLflow", "address": "https://tracker.example/runs/7"},
    "log": {"loss": 1.5, "tokens": 64},
    "eval": {"eval_loss": 1.5, "bleu": 12.5, "bleu_interval": [10.0, 15.0], "rows": 3},
    "checkpoint": {"folder": "checkpoints/step-0000003", "size_bytes": 12, "best": True},
    "sample": {"prompt": "Who?", "answer": "", "index": 1},
    "warning": {"message": "It is hot.", "hint": ""},
    "saved": {"folder": "model", "size_bytes": 12, "kind": "full"},
    "advice": {
        "findings": [
            {
                "code": "over_fitting",
                "level": "warn",
                "title": "Over-fitting since step 3",
                "explanation": "The validation loss rose.",
                "evidence": {"metric": "eval_loss", "first_step": 3, "last_step": 9},
                "next_steps": [{"label": "Train for less long", "changes": {}}],
            }
        ]
    },
    "verdict": {
        "code": "undecided",
        "level": "note",
        "title": "Too few rows",
        "explanation": "Only 3.",
        "next_steps": [{"label": "Hold out more rows", "changes": {}}],
        "comparison": {
            "metric": "eval_loss",
            "label": "Validation loss",
            "is_share": False,
            "higher_is_better": False,
            "base": 2.0,
            "tuned": 1.5,
            "gain": 0.5,
            "rows": 3,
        },
    },
    "succeeded": {"metrics": {"eval_loss": 1.5, "rows": 3}},
    "stopped": {"action": "pause", "saved": True},
    "failed": {"code": "error", "message": "It broke.", "hint": "Mend it."},
}
"""As journals of earlier versions hold them."""


def test_every_kind_has_an_example() -> None:
    assert EXAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_journal_holds_what_was_given_and_knows_its_kind(kind: str, tmp_path: Path) -> None:
    with Attempt(tmp_path) as attempt:
        attempt.emit(kind, 3, **EXAMPLES[kind])
    (line,) = RunFolder(tmp_path).journal.read_text().splitlines()
    written = json.loads(line)["event"]
    assert written.keys() == {"seq", "kind", "step", "time", "data"}
    assert (written["seq"], written["kind"], written["step"]) == (1, kind, 3)
    assert written["data"] == EXAMPLES[kind]
    (event,) = read_journal(RunFolder(tmp_path).journal)
    assert type(event.payload) is KINDS[kind]
    assert event.payload.as_json() == event.data == EXAMPLES[kind]


def test_a_typed_event_and_kind_with_data_are_the_same(tmp_path: Path) -> None:
    with Attempt(tmp_path) as attempt:
        attempt.emit(kinds.LogEvent(loss=1.5, tokens=64), 3)
        attempt.emit("log", 3, loss=1.5, tokens=64)
    first, second = read_journal(RunFolder(tmp_path).journal)
    assert (first.kind, first.step, first.data) == (second.kind, second.step, second.data)


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("log", {"loss": "low"}, "loss"),
        ("log", {"tokens": 1.5}, "tokens"),
        ("stopped", {"action": "explode", "saved": True}, "action"),
        ("saved", {"folder": "model", "kind": "full"}, "size_bytes"),
        ("stage", {}, "name"),
        ("gpu", {"device": object()}, "device"),
        ("No kind", {}, "kind"),
        ("k" * 41, {}, "kind"),
    ],
)
def test_what_is_not_as_its_kind_declares_is_refused(
    kind: str, data: dict[str, Any], field: str, tmp_path: Path
) -> None:
    with Attempt(tmp_path) as attempt:
        with pytest.raises(EventError) as refused:
            attempt.emit(kind, 1, **data)
        attempt.emit("log", 1, loss=1.0)
    assert f"{field}: " in refused.value.message
    assert "maxaillm.dev.finetune.run.events" in refused.value.hint
    assert [event.seq for event in read_journal(RunFolder(tmp_path).journal)] == [1]


def test_what_is_no_number_is_null_and_named_also_in_final_metrics(tmp_path: Path) -> None:
    scores = {"eval_loss": float("nan"), "bleu": 1.0}
    with Attempt(tmp_path) as attempt:
        attempt.emit("log", 1, loss=float("inf"), tokens=64)
        attempt.emit("gpu", 1, celsius=float("-inf"))
        attempt.emit("succeeded", 1, metrics=scores)
    log, gpu, succeeded = [event.data for event in read_journal(RunFolder(tmp_path).journal)]
    assert log == {"loss": None, "tokens": 64, "not_finite": ["loss"]}
    assert gpu == {"celsius": None, "not_finite": ["celsius"]}
    assert succeeded["metrics"] == {"eval_loss": None, "bleu": 1.0, "not_finite": ["eval_loss"]}


def written(path: Path, *events: dict[str, Any]) -> list[Event]:
    """What is read of a journal that another version wrote."""
    with path.open("w") as file:
        for seq, event in enumerate(events, start=1):
            body = json.dumps({"seq": seq, "step": None, "time": 1.0} | event)
            file.write(f'{{"crc":{crc32(body.encode())},"event":{body}}}\n')
    return list(read_journal(path))


def test_a_newer_engines_events_are_kept_and_shown_as_text(tmp_path: Path) -> None:
    newer = [
        {"kind": "gpu", "step": 3, "data": {"celsius": 71.5, "fans": [1, 2]}},
        {"kind": "log", "step": 4, "data": {"loss": 1.5, "joules": 1200}},
        {"kind": "saved", "data": {"folder": "model", "size_bytes": 1, "kind": "sharded"}},
        {"kind": "stopped", "step": 4, "data": {"action": "migrate", "saved": True}},
    ]
    events = written(tmp_path / "events.jsonl", *newer)
    assert [event.data for event in events] == [event["data"] for event in newer]
    assert events[1].payload.measured() == {"loss": 1.5, "joules": 1200}
    assert not isinstance(events[2].payload, kinds.SavedEvent)
    stream = io.StringIO()
    line = ProgressLine(stream)
    for event in events:
        line(event)
    shown = stream.getvalue()
    assert "gpu (step 3)  celsius 71.5  fans 1, 2\n" in shown
    assert "step 4/0  loss 1.5" in shown
    assert "saved  folder model  size_bytes 1  kind sharded\n" in shown
