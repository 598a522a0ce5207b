"""Turns of a conversation in an example: a whole dialogue, a prompt, or an answer to a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from maxaillm.dev.finetune.data.columns import (
    Column,
    FoundTexts,
    Piece,
    StoredExample,
    TextColumn,
    Texts,
)
from maxaillm.dev.finetune.data.rows.tool_calls import is_json

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

REASONING, CALL = "reasoning", "call"
"""The parts of what an assistant thinks, and of the tools that it calls."""
TEXT_PATHS = (
    "content",
    "role",
    "reasoning",
    "tool_calls.list.element.name",
    "tool_calls.list.element.arguments",
)
Turn = Mapping[str, Any]


@dataclass(frozen=True)
class ToolsColumn(Column):
    """The tools that may be called in a conversation, as the JSON of a list."""


class TurnTexts(NamedTuple):
    """Texts of turns, one after the other: columns of one length."""

    values: pa.StringArray
    turns: NDArray[np.int64]
    """For each text the place of its turn."""
    parts: pa.StringArray


class MessagesColumn(TextColumn):
    """A list of messages; the part of each is its role.

    An assistant's turn also has what it thinks before it answers, and the tools that it calls:
    of each call the name, and then the arguments.
    """

    is_learned: ClassVar[bool] = True
    """Whether a model learns what the assistant says, where its weight is not 0."""

    @property
    def paths(self) -> list[str]:
        return [f"{self.name}.list.element.{path}" for path in TEXT_PATHS]

    def is_wanted(self, example: StoredExample) -> bool:
        return True

    def learns(self, turn: Turn) -> bool:
        """Whether the turn is learned, or learned not to be given."""
        return self.is_learned and turn["role"] == "assistant" and turn.get("weight") != 0

    def pieces(self, example: StoredExample) -> Iterator[Piece]:
        wanted = self.is_wanted(example)
        for turn in example[self.name]:
            yield from self.pieces_of(turn, is_wanted=wanted)

    def pieces_of(self, turn: Turn, *, is_wanted: bool) -> Iterator[Piece]:
        """The texts of one turn. A turn that only calls tools has no text of its own."""
        is_learned = self.learns(turn)
        if turn.get("reasoning"):
            yield Piece(turn["reasoning"], REASONING, is_learned, is_wanted)
        calls = turn.get("tool_calls", ())
        if turn["content"] or not calls:
            yield Piece(turn["content"], turn["role"], is_learned, is_wanted)
        for call in calls:
            yield Piece(call["name"], CALL, is_learned, is_wanted)
            yield Piece(call["arguments"], CALL, is_learned, is_wanted)

    def changed(self, example: StoredExample, change: Callable[[Piece], str]) -> Any:
        wanted = self.is_wanted(example)
        turns = []
        for turn in example[self.name]:
            texts = [change(piece) for piece in self.pieces_of(turn, is_wanted=wanted)]
            new = with_texts(turn, texts)
            turns.append(turn if new == turn else new)
        return turns

    def texts(self, table: pa.Table) -> Texts:
        import numpy as np
        import pyarrow.compute as pc

        column = table[self.name].combine_chunks()
        lengths = column.value_lengths().to_numpy(zero_copy_only=False)
        rows = np.repeat(np.arange(len(column)), lengths)
        flat = column.flatten()
        learned = np.zeros(len(rows), np.bool_)
        if self.is_learned:
            in_loss = pc.not_equal(pc.fill_null(flat.field("weight"), 1.0), 0.0)
            answers = pc.and_(pc.equal(flat.field("role"), "assistant"), in_loss)
            learned = answers.to_numpy(zero_copy_only=False)
        values, turns, parts = texts_of_turns(flat)
        rows = rows[turns]
        return Texts(values, rows, parts, learned[turns], self.wanted(table)[rows])

    def wanted(self, table: pa.Table) -> NDArray[np.bool_]:
        """`is_wanted` of each row."""
        import numpy as np

        return np.ones(len(table), np.bool_)

    def found(self, table: pa.RecordBatch, part: str | None) -> FoundTexts | None:
        import numpy as np
        import pyarrow.compute as pc

        column = table[self.name]
        rows = np.asarray(pc.list_parent_indices(column), np.int64)
        values, turns, parts = texts_of_turns(column.flatten())
        if part is None:
            return FoundTexts(values, rows[turns])
        mask = pc.equal(parts, part)
        return FoundTexts(values.filter(mask), rows[turns][np.asarray(mask, bool)])


def with_texts(turn: Turn, texts: list[str]) -> dict[str, Any]:
    """A turn with other texts, given as its pieces come."""
    waiting, new = iter(texts), dict(turn)
    if turn.get("reasoning"):
        new["reasoning"] = next(waiting)
    calls = turn.get("tool_calls", ())
    if turn["content"] or not calls:
        new["content"] = next(waiting)
    if calls:
        new["tool_calls"] = [changed_call(call, next(waiting), next(waiting)) for call in calls]
    return new


def changed_call(call: Mapping[str, str], name: str, arguments: str) -> Mapping[str, str]:
    """A call with another name and arguments, which stay JSON if they were."""
    is_broken = is_json(call["arguments"]) and not is_json(arguments)
    kept = call["arguments"] if is_broken else arguments
    return {**call, "name": name or call["name"], "arguments": kept}


def texts_of_turns(turns: pa.StructArray) -> TurnTexts:
    """What `pieces_of` gives, of many turns; rows of earlier releases have fewer fields."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    content, role = turns.field("content"), turns.field("role")
    every = np.arange(len(turns))
    has = {name: turns.type.get_field_index(name) >= 0 for name in ("reasoning", "tool_calls")}
    thoughts = turns.field("reasoning") if has["reasoning"] else pa.nulls(len(turns), pa.string())
    calls = turns.field("tool_calls") if has["tool_calls"] else pa.nulls(len(turns))
    if thoughts.null_count == calls.null_count == len(turns):
        return TurnTexts(content, every, role)
    is_thought = pc.fill_null(pc.not_equal(thoughts, ""), fill_value=False)
    thinking = np.flatnonzero(is_thought.to_numpy(zero_copy_only=False))
    asked, calling = calls_of_turns(calls)
    is_text = np.ones(len(turns), np.bool_)
    is_text[calling] = pc.not_equal(content, "").to_numpy(zero_copy_only=False)[calling]
    places = [thinking, every[is_text], calling]
    ranks = np.repeat([0, 1, 2], [len(some) for some in places])
    order = np.lexsort((ranks, np.concatenate(places)))
    values = [thoughts.take(thinking), content.filter(pa.array(is_text)), asked]
    parts = [
        pa.repeat(REASONING, len(thinking)),
        role.filter(pa.array(is_text)),
        pa.repeat(CALL, len(calling)),
    ]
    return TurnTexts(
        pa.concat_arrays(values).take(order),
        np.concatenate(places)[order],
        pa.concat_arrays(parts).take(order),
    )


def calls_of_turns(calls: pa.Array) -> tuple[pa.StringArray, NDArray[np.int64]]:
    """The names and arguments of all calls in turn, and for each of these the place of its turn."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if calls.null_count == len(calls):
        return pa.array([], pa.string()), np.zeros(0, np.int64)
    every = calls.flatten()
    both = pa.concat_arrays([every.field("name"), every.field("arguments")])
    alternating = np.arange(2 * len(every)).reshape(2, -1).T.ravel()
    places = np.asarray(pc.list_parent_indices(calls), np.int64)
    return both.take(pa.array(alternating)), np.repeat(places, 2)


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
