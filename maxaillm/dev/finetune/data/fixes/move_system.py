"""Put system prompts into the question behind them."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_turns

Turn = dict[str, Any]


@fixes.register
class MoveSystem(Fix):
    """Puts what the system says into the next question."""

    label: ClassVar[str] = "Put system prompts into questions"
    summary: ClassVar[str] = (
        "Begins the next question with what the system says in the middle of a conversation; if "
        "asked to, with its opening prompt, too."
    )

    name: Literal["move_system"] = "move_system"
    also_opening: bool = Field(
        False,
        title="The opening prompt, too",
        description="For models whose chat template refuses system prompts.",
    )

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_turns(self.kind, example, partial(moved, also_opening=self.also_opening))


def moved(turns: list[Turn], *, also_opening: bool) -> list[Turn]:
    """The next question begins with it; where none follows, the last one ends with it."""
    kept: list[Turn] = []
    waiting: list[str] = []
    for place, turn in enumerate(turns):
        is_opening = place == 0 and not also_opening
        if turn["role"] == "system" and not is_opening:
            waiting.append(turn["content"])
        elif turn["role"] == "user" and waiting:
            kept.append(turn | {"content": "\n\n".join([*waiting, turn["content"]])})
            waiting = []
        else:
            kept.append(turn)
    asked = [place for place, turn in enumerate(kept) if turn["role"] == "user"]
    if waiting and not asked:
        return turns
    if waiting:
        last = kept[asked[-1]]
        kept[asked[-1]] = last | {"content": "\n\n".join([last["content"], *waiting])}
    return kept
