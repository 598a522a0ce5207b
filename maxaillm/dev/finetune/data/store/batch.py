"""Some thousand rows at once, as checks see them: as Python values, and as columns of Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from maxaillm.dev.finetune.data.formats import Conversation, Example
from maxaillm.dev.finetune.data.store.schema import NUMBER, schema_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

StoredExample = dict[str, Any]
"""An example's fields without those that are None."""
ITEM_CHARS = 32
"""So many characters of text take about as much memory as what each turn or word has besides."""


class Piece(NamedTuple):
    """A text of a row, and what it is there: "user", "assistant", "system", "tool", "text", …"""

    text: str
    part: str
    is_learned: bool
    """Whether a model learns to write it, or not to."""
    is_wanted: bool = True
    """False for an answer that a model learns not to give."""


class Texts(NamedTuple):
    """Every text of a batch, one after the other, and whose it is: columns of one length."""

    values: pa.StringArray
    rows: npt.NDArray[np.int64]
    """For each text the place of its row within the batch, from 0."""
    parts: pa.StringArray
    is_learned: npt.NDArray[np.bool_]
    is_wanted: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of one kind that follow each other in a dataset."""

    kind: type[Example]
    numbers: Sequence[int]
    examples: Sequence[StoredExample]

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def table(self) -> pa.Table:
        """The rows as they are stored: the columns of `row_schema.schema_of`."""
        import pyarrow as pa

        schema = schema_of(self.kind)
        columns = [
            self.numbers if name == NUMBER else [example.get(name) for example in self.examples]
            for name in schema.names
        ]
        arrays = [
            pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)
        ]
        return pa.table(arrays, schema=schema)

    @cached_property
    def pieces(self) -> list[list[Piece]]:
        """For each row its texts, in the order in which a model reads them."""
        return [list(pieces_of(example)) for example in self.examples]

    @cached_property
    def texts(self) -> Texts:
        """What to search in: one Arrow array for all texts of all rows."""
        import numpy as np
        import pyarrow as pa

        if self.kind is Conversation:
            return texts_of_turns(self.table)
        flat = [(place, *piece) for place, row in enumerate(self.pieces) for piece in row]
        places, values, parts, learned, wanted = zip(*flat, strict=True) if flat else [()] * 5
        return Texts(
            pa.array(values, pa.string()),
            np.array(places, np.int64),
            pa.array(parts, pa.string()),
            np.array(learned, np.bool_),
            np.array(wanted, np.bool_),
        )

    @cached_property
    def is_answer(self) -> npt.NDArray[np.bool_]:
        """For each text whether it is an answer that a model learns to give."""
        import pyarrow.compute as pc

        by_assistant = pc.equal(self.texts.parts, "assistant").to_numpy(zero_copy_only=False)
        is_answer: npt.NDArray[np.bool_] = by_assistant & self.texts.is_learned
        return is_answer & self.texts.is_wanted

    @cached_property
    def labels(self) -> list[list[str]]:
        """For each row the classes it is one of, each once."""
        if not self.kind.model_fields.keys() & {"label", "labels", "tags", "desirable"}:
            return [[]] * len(self)
        return [labels_of(example) for example in self.examples]

    @cached_property
    def splits(self) -> list[str]:
        """For each row the part of the dataset it belongs to; "train" where it names none."""
        return [example.get("split", "train") for example in self.examples]


def pieces_of(example: StoredExample) -> Iterator[Piece]:
    is_chat = "chosen" not in example and "completion" not in example
    for turn in example.get("messages", ()):
        learned = is_chat and turn["role"] == "assistant" and turn.get("weight") != 0
        yield Piece(turn["content"], turn["role"], learned)
    wanted = {"chosen": True, "rejected": False, "completion": example.get("desirable", True)}
    for way, is_wanted in wanted.items():
        for turn in example.get(way, ()):
            learned = turn["role"] == "assistant"
            yield Piece(turn["content"], turn["role"], learned, is_wanted=is_wanted)
    if "tokens" in example:
        yield Piece(" ".join(example["tokens"]), "text", is_learned=False)
    is_document = "text" in example and example.keys() <= {"text", "split"}
    for name in ("text", "pair"):
        if name in example:
            yield Piece(example[name], name, is_document)


def texts_of_turns(table: pa.Table) -> Texts:
    """The texts of conversations: as columns, for a million rows are a matter of seconds then."""
    import numpy as np
    import pyarrow.compute as pc

    chats = table["messages"].combine_chunks()
    content, role, weight = (chats.flatten().field(name) for name in ("content", "role", "weight"))
    lengths = chats.value_lengths().to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(chats)), lengths)
    in_loss = pc.not_equal(pc.fill_null(weight, 1.0), 0.0)
    learned = pc.and_(pc.equal(role, "assistant"), in_loss).to_numpy(zero_copy_only=False)
    return Texts(content, rows, role, learned, np.ones(len(rows), np.bool_))


def labels_of(example: StoredExample) -> list[str]:
    if "label" in example:
        return [example["label"]]
    if "desirable" in example:
        return ["desirable" if example["desirable"] else "undesirable"]
    return list(dict.fromkeys(example.get("labels") or example.get("tags") or ()))


def chars_of(example: StoredExample) -> int:
    """How many characters the texts of a stored row have."""
    chars = 0
    for value in example.values():
        if isinstance(value, str):
            chars += len(value)
        elif isinstance(value, list):
            for item in value:
                chars += len(item if isinstance(item, str) else item["content"])
    return chars


def weight_of(example: StoredExample) -> int:
    """What the row takes in memory, in characters; a turn or word of a letter is more than one."""
    weight = chars_of(example)
    for value in example.values():
        if isinstance(value, list):
            weight += ITEM_CHARS * len(value)
    return weight


def stored(example: Example) -> StoredExample:
    """`example` as it is stored."""
    return example.model_dump(exclude_none=True)
