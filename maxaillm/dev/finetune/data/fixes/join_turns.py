"""Join turns of one side that follow each other."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_turns

Turn = dict[str, Any]


@fixes.register
class JoinTurns(Fix):
    """Joins what one side says in several turns in a row, with an empty line between."""

    label: ClassVar[str] = "Join turns"
    summary: ClassVar[str] = (
        "Joins what one side says in several turns in a row, with an empty line between."
    )

    name: Literal["join_turns"] = "join_turns"

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_turns(self.kind, example, joined)


def joined(turns: list[Turn]) -> list[Turn]:
    """Turns that are learned and those that are not stay apart, and so do answers of tools."""
    kept: list[Turn] = []
    for turn in turns:
        if kept and goes_on(kept[-1], turn):
            kept[-1] = both(kept[-1], turn)
        else:
            kept.append(turn)
    return kept


def goes_on(before: Turn, turn: Turn) -> bool:
    same = all(before.get(name) == turn.get(name) for name in ("role", "name"))
    weights = [one.get("weight") == 0 for one in (before, turn)]
    return same and turn["role"] != "tool" and weights[0] == weights[1]


def both(before: Turn, turn: Turn) -> Turn:
    new = before | turn
    for name in ("content", "reasoning"):
        texts = [one[name] for one in (before, turn) if one.get(name)]
        if texts:
            new[name] = "\n\n".join(texts)
    if calls := [*before.get("tool_calls", ()), *turn.get("tool_calls", ())]:
        new["tool_calls"] = calls
    return new
