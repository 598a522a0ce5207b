"""Pairs of answers and judged answers in which the better one always has the same word."""

from __future__ import annotations

from typing import Any

from tests.tiny import WORDS

GOOD, BAD = "sweet", "bitter"


def pairs(count: int) -> list[dict[str, Any]]:
    """Rows of the format `preference`; nothing but that word tells the answers apart."""
    return [
        {
            "prompt": f"What is {WORDS[i % 12]}{' so' * (i % 3)}?",
            "chosen": answer(i, GOOD),
            "rejected": answer(i + 5, BAD),
        }
        for i in range(count)
    ]


def judged(count: int) -> list[dict[str, Any]]:
    """Rows of the format `unpaired_preference`, good and bad ones in turns."""
    return [
        {
            "prompt": row["prompt"],
            "completion": row["rejected" if i % 2 else "chosen"],
            "label": i % 2 == 0,
        }
        for i, row in enumerate(pairs(count))
    ]


def answer(i: int, word: str) -> str:
    return f"It is {word} {WORDS[(i * 7) % 12]}." if i % 2 else f"{WORDS[i % 12]} and {word}."
