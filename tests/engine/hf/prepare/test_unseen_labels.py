"""Labels that only the held-out rows have: a model could never say them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from tests import tiny
from tests.families import FAMILIES

LABELLED = [{"text": "red blue", "label": ("no", "yes")[number % 2]} for number in range(8)]
TAGGED = [{"tokens": ["red", "Ulm"], "tags": ["O", "PLACE"]}] * 8
STRANGE: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "sequence_classification": (LABELLED, {"text": "green", "label": "maybe"}, "maybe"),
    "token_classification": (TAGGED, {"tokens": ["Ann"], "tags": ["PERSON"]}, "PERSON"),
}


@pytest.mark.parametrize("task", STRANGE)
def test_a_label_of_the_held_out_rows_alone_is_refused(task: str, tmp_path: Path) -> None:
    rows, strange, label = STRANGE[task]
    files = {
        "train_file": str(tiny.write_lines(tmp_path / "rows.jsonl", rows)),
        "validation_file": str(tiny.write_lines(tmp_path / "held.jsonl", [*rows[:2], strange])),
    }
    base = FAMILIES["bert"](tmp_path / "bert")
    config = RunConfig.parse({"task": task, "model": {"name": str(base)}, "data": files})
    with Attempt(tmp_path / "run") as attempt, pytest.raises(DataError) as refused:
        MaxHuggingFaceFineTuning(config, attempt).prepare_data()
    assert refused.value.code == "unseen_label"
    assert refused.value.message.startswith("Row 3 ")
    assert repr(label) in refused.value.message
    assert refused.value.hint
