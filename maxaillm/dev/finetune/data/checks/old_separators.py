"""Separators of older completion models: ### behind each prompt, END behind each answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from maxaillm.dev.finetune.data.analysis.findings import shown
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn

ASKED = re.compile(r"\s*(?:#{2,}|-{1,2}>|={2,}|={1,2}>|\|{2,}|\[/INST\])\s*\Z")
ANSWERED = re.compile(r"\s*(?:#{2,}|\bEND|\bSTOP|\[END\]|<\|endoftext\|>|</s>)\s*\Z")
MIN_ROWS, MOST_ROWS = 5, 2_000
"""The first rows tell whether all are written so."""
SHARE = 0.95


@checks.register
class OldSeparators(Check):
    label: ClassVar[str] = "Separators of older models"
    why: ClassVar[str] = (
        "A chat template marks where a question ends; signs for that are learned as part of texts."
    )
    advice: ClassVar[str] = "Take them off with “Find and replace”, unless you ask with them later."

    name: Literal["old_separators"] = "old_separators"
    _asked: Counter[str] = PrivateAttr(default_factory=Counter)
    _answered: Counter[str] = PrivateAttr(default_factory=Counter)
    _rows: int = PrivateAttr(0)

    def see(self, batch: Batch) -> Iterator[Issue]:
        if batch.kind.columns_of(DialogueColumn):
            first = batch.examples[: MOST_ROWS - self._rows]
            self._rows += len(first)
            for example in first:
                turns = example["messages"]
                if len(turns) > 1:
                    self._asked[ending(ASKED, turns[-2]["content"])] += 1
                if turns:
                    self._answered[ending(ANSWERED, turns[-1]["content"])] += 1
        yield from ()

    def conclude(self) -> Iterator[Issue]:
        told = [
            f"{what} end with {shown(sign, 30)!r}"
            for what, counts in (("prompts", self._asked), ("answers", self._answered))
            for sign, count in counts.most_common(1)
            if sign and count >= max(MIN_ROWS, SHARE * self._rows)
        ]
        if told:
            words = " and ".join(told)
            yield Issue(None, f"{words[0].upper()}{words[1:]}, as older models needed it.")


def ending(pattern: re.Pattern[str], text: str) -> str:
    """The separator that `text` ends with, "" where it ends with none."""
    found = pattern.search(text[-40:])
    return found[0] if found else ""
