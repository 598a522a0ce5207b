"""Keep an opening greeting out of the loss."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.changes import with_turns

Turn = dict[str, Any]


@fixes.register
class MaskGreeting(Fix):
    """What the assistant says before anybody asks is read, not learned."""

    label: ClassVar[str] = "Only read the greeting"
    summary: ClassVar[str] = "What the assistant says before anybody asks is read, not learned."

    name: Literal["mask_greeting"] = "mask_greeting"

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        return with_turns(self.kind, example, masked)


def masked(turns: list[Turn]) -> list[Turn]:
    """With the weight 0 for the assistant's turns before the first of another side."""
    changed = list(turns)
    for place, turn in enumerate(turns):
        if turn["role"] not in ("system", "assistant"):
            break
        if turn["role"] == "assistant" and turn.get("weight") != 0:
            changed[place] = turn | {"weight": 0.0}
    return changed
