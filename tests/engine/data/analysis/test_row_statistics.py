"""What is counted of rows equals what is counted one by one."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.data.analysis.statistics import BARS, LengthHistogram
from maxaillm.dev.finetune.data.reading.validate import validate


def statistics_of(rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return validate(file).statistics


def spans(found: dict[str, Any], numbers: list[float]) -> list[int]:
    """How many of the numbers lie in each of the bins that were found."""
    return [sum(begin <= number <= end for number in numbers) for begin, end, _ in found["bins"]]


@pytest.mark.parametrize("longest", [0, 1, 31, 500, 3_000_000])
def test_every_length_is_in_one_bar(longest: int) -> None:
    import numpy as np

    drawn = random.Random(longest)
    numbers = [int(longest * drawn.random() ** 3) for _ in range(500)] + [longest]
    lengths = LengthHistogram()
    for at in range(0, len(numbers), 100):
        lengths.add(np.array(numbers[at : at + 100], np.int64))
    found = lengths.as_json()

    assert [rows for _, _, rows in found["bins"]] == spans(found, list(numbers))
    assert (found["count"], found["min"], found["max"]) == (501, min(numbers), longest)
    assert found["mean"] == pytest.approx(sum(numbers) / len(numbers))
    assert len(found["bins"]) <= BARS


def test_a_talk_has_turns_and_parts(tmp_path: Path) -> None:
    chats = [
        [{"role": role, "content": "é" * (n + 1)} for role in ("user", "assistant") * turns]
        for n, turns in enumerate([1, 1, 2, 3] * 5)
    ]
    found = statistics_of([{"messages": chat} for chat in chats], tmp_path)

    assert found["kind"] == "Conversation"
    assert {begin: rows for begin, _, rows in found["turns"]["bins"] if rows} == {2: 10, 4: 5, 6: 5}
    answers = [float(len(t["content"])) for chat in chats for t in chat if t["role"] == "assistant"]
    part = found["chars"]["assistant"]
    assert [rows for _, _, rows in part["bins"]] == spans(part, answers)


def test_answers_to_choose_from_are_told_apart(tmp_path: Path) -> None:
    row = {"prompt": "What is it?", "chosen": "A very good answer.", "rejected": "No."}
    found = statistics_of([{**row, "prompt": f"{n} {row['prompt']}"} for n in range(9)], tmp_path)

    means = {name: part["mean"] for name, part in found["chars"].items()}
    assert means == {"user": 13, "wanted": 19, "unwanted": 3}


def test_scores_and_tags_are_counted(tmp_path: Path) -> None:
    scores = [random.Random(n).gauss(3, 1) for n in range(200)]
    rows = [{"text": f"row {n}", "score": score} for n, score in enumerate(scores)]
    found = statistics_of(rows, tmp_path)["scores"]
    assert sum(rows for _, _, rows in found["bins"]) == len(scores)
    assert (found["min"], found["max"]) == (min(scores), max(scores))

    tagged = [{"tokens": ["Anna", f"at{n}"], "tags": ["B-PER", "O"]} for n in range(9)]
    assert statistics_of(tagged, tmp_path)["tags"] == Counter({"B-PER": 9, "O": 9})
