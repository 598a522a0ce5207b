"""Weights of answers: one that is neither 0 nor 1 counts as 1, and the run says so."""

from __future__ import annotations

from pathlib import Path

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt
from tests import tiny


def test_a_run_says_how_many_answers_have_a_weight_that_counts_as_1(tmp_path: Path) -> None:
    chats = tiny.conversations(24)
    for chat, weight in zip(chats, (0.5, 2, 1), strict=False):
        chat["messages"][-1]["weight"] = weight
    file = tiny.write_lines(tmp_path / "rows.jsonl", chats)
    base = tiny.make_llama(tmp_path / "base")
    config = RunConfig.parse({"model": {"name": str(base)}, "data": {"train_file": str(file)}})
    said: list[str] = []
    with Attempt(
        tmp_path / "run", lambda event: said.append(str(event.data.get("message")))
    ) as attempt:
        MaxHuggingFaceFineTuning(config, attempt).prepare_data()
    (warning,) = [message for message in said if "weight" in message]
    assert warning.startswith("2 answers in the training rows")
