"""Turns of a conversation in an example: a whole dialogue, a prompt, or an answer to a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from maxaillm.dev.finetune.data.columns import (
    FoundTexts,
    Piece,
    StoredExample,
    TextColumn,
    Texts,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


class MessagesColumn(TextColumn):
    """A list of messages; the part of each is its role."""

    is_learned: ClassVar[bool] = True
    """Whether a model learns what the assistant says, where its weight is not 0."""

    @property
    def paths(self) -> list[str]:
        return [f"{self.name}.list.element.{part}" for part in ("content", "role")]

    def is_wanted(self, example: StoredExample) -> bool:
        return True

    def pieces(self, example: StoredExample) -> Iterator[Piece]:
        wanted = self.is_wanted(example)
        for turn in example[self.name]:
            yield self.piece(turn, is_wanted=wanted)

    def piece(self, turn: Mapping[str, Any], *, is_wanted: bool) -> Piece:
        is_answer = turn["role"] == "assistant" and turn.get("weight") != 0
        return Piece(turn["content"], turn["role"], self.is_learned and is_answer, is_wanted)

    def changed(self, example: StoredExample, change: Callable[[Piece], str]) -> Any:
        wanted = self.is_wanted(example)
        turns = []
        for turn in example[self.name]:
            text = change(self.piece(turn, is_wanted=wanted))
            turns.append(turn if text == turn["content"] else turn | {"content": text})
        return turns

    def texts(self, table: pa.Table) -> Texts:
        import numpy as np
        import pyarrow.compute as pc

        turns = table[self.name].combine_chunks()
        content, role, weight = (
            turns.flatten().field(name) for name in ("content", "role", "weight")
        )
        lengths = turns.value_lengths().to_numpy(zero_copy_only=False)
        rows = np.repeat(np.arange(len(turns)), lengths)
        learned = np.zeros(len(rows), np.bool_)
        if self.is_learned:
            in_loss = pc.not_equal(pc.fill_null(weight, 1.0), 0.0)
            answers = pc.and_(pc.equal(role, "assistant"), in_loss)
            learned = answers.to_numpy(zero_copy_only=False)
        return Texts(content, rows, role, learned, self.wanted(table)[rows])

    def wanted(self, table: pa.Table) -> NDArray[np.bool_]:
        """`is_wanted` of each row."""
        import numpy as np

        return np.ones(len(table), np.bool_)

    def found(self, table: pa.RecordBatch, part: str | None) -> FoundTexts | None:
        import numpy as np
        import pyarrow.compute as pc

        column = table[self.name]
        turns, rows = column.flatten(), np.asarray(pc.list_parent_indices(column), np.int64)
        texts = turns.field("content")
        if part is None:
            return FoundTexts(texts, rows)
        mask = pc.equal(turns.field("role"), part)
        return FoundTexts(texts.filter(mask), rows[np.asarray(mask, bool)])


@dataclass(frozen=True)
class DialogueColumn(MessagesColumn):
    """A whole conversation: all that its assistant says is learned, and the last turn answers."""


@dataclass(frozen=True)
class PromptColumn(MessagesColumn):
    """The beginning of a conversation, of which nothing is learned."""

    is_learned: ClassVar[bool] = False


@dataclass(frozen=True)
class AnswerColumn(MessagesColumn):
    """An answer to a prompt: a good one, a poor one, or as a column of flags says."""

    good: str = ""
    """What a good answer is called; "" where it is a poor one always."""
    poor: str = ""
    flag: str = ""
    """The column that says which it is; "" where it is the same in all rows."""

    def is_wanted(self, example: StoredExample) -> bool:
        return bool(example[self.flag] if self.flag else self.good)

    def wanted(self, table: pa.Table) -> NDArray[np.bool_]:
        import numpy as np

        if not self.flag:
            return np.full(len(table), bool(self.good))
        flags: NDArray[np.bool_] = table[self.flag].to_numpy()
        return flags.astype(np.bool_)

    def verdict(self, example: StoredExample) -> str:
        """What the answer is called."""
        return self.good if self.is_wanted(example) else self.poor
