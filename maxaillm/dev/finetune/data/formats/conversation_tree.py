"""H2O's chained rows: each names the row before it, so that together they are conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import (
    DataFormat,
    Fields,
    conversation_of,
    formats,
    text_column,
)
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    cell_of,
    columns_by_name,
    first_problem,
    optional_text_problem,
    text_columns,
    text_of,
    text_problem,
    wrong_type,
)

PAIRS = (("instruction", "output"), ("instruction", "response"), ("prompt", "output"),
         ("prompt", "completion"), ("prompt", "response"), ("input", "output"),
         ("question", "answer"))  # fmt: skip
PARENTS = ("parent_id", "parent")
KEPT_CHARS = 64 * 2**20
"""So much text of earlier rows is kept in memory; later ones push the oldest out."""
MAX_TURNS = 200
CHAT_CHARS = 2**20
"""A longer chat is refused: each of its rows would hold it whole."""
ROOTS = {"none", "null", "nan", "0", "-1"}
"""What stands for "no row before this one", unless a row has this id."""


class Exchange(NamedTuple):
    """What a row says, and which row it follows."""

    parent: str | None
    question: str
    answer: str

    @property
    def chars(self) -> int:
        return len(self.question) + len(self.answer)


class ChainedRow(dict[str, Any]):
    """A row that knows what was said before it, or why that is not known."""

    earlier: list[Exchange] | RowProblem


@formats.register
class ConversationTreeFormat(DataFormat):
    """Questions and answers that follow each other. Each row learns its own answer, given all
    that was said before it: where a chat branches, no answer is learned twice."""

    label: ClassVar[str] = "Conversation tree"
    summary: ClassVar[str] = "id, parent_id, instruction and output in each row, parents first."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["conversation_tree"] = "conversation_tree"
    id: str = Field("id", title="Row", description="What other rows call this one.")
    parent: str = Field(
        "parent_id",
        title="Row before",
        description="The id of the row that this one follows; empty at the start of a chat.",
    )
    prompt: str = text_column("instruction", title="Prompt", description="What the user says.")
    completion: str = text_column("output", title="Answer", description="What is answered.")
    input: str | None = text_column(
        None, title="Input", description="What the prompt is about; may be empty in a row."
    )
    system: str | None = text_column(
        None, title="System prompt", description="How the model is to behave; may be empty."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present, texts = columns_by_name(sample), text_columns(sample)
        parent = next((present[name] for name in PARENTS if name in present), None)
        pair = next((pair for pair in PAIRS if texts.keys() >= set(pair)), None)
        if parent is None or pair is None or "id" not in present:
            return None
        prompt, completion = (texts[name] for name in pair)
        return cls(
            id=present["id"],
            parent=parent,
            prompt=prompt,
            completion=completion,
            input=present.get("input") if prompt != texts.get("input") else None,
            system=present.get("system"),
        )

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return Chain(self).row_after

    def check(self, row: Row) -> RowProblem | None:
        problem = first_problem(
            (
                text_problem(row, self.prompt),
                text_problem(row, self.completion),
                optional_text_problem(row, self.input),
                optional_text_problem(row, self.system),
            )
        )
        earlier = earlier_of(row)
        return problem or (earlier if isinstance(earlier, RowProblem) else None)

    def to_fields(self, row: Row) -> Fields:
        turns = [Turn("system", text_of(row, self.system))]
        earlier = earlier_of(row)
        for exchange in earlier if isinstance(earlier, list) else ():
            turns += [Turn("user", exchange.question), Turn("assistant", exchange.answer, 0)]
        turns.append(Turn("user", self.question(row)))
        turns.append(Turn("assistant", cell_of(row, self.completion)))
        return conversation_of(turns)

    def question(self, row: Row) -> str:
        asked, matter = str(cell_of(row, self.prompt)), text_of(row, self.input)
        return f"{asked}\n\n{matter}" if matter else asked


def earlier_of(row: Row) -> list[Exchange] | RowProblem:
    return row.earlier if isinstance(row, ChainedRow) else []


class Chain:
    """The rows that were read so far, as far as they fit into memory."""

    def __init__(self, tree: ConversationTreeFormat) -> None:
        self.tree = tree
        self.exchanges: dict[str, Exchange | None] = {}
        self.chars = 0

    def row_after(self, record: Row) -> Sequence[Row]:
        """The row with what was said before it, or with the reason why that is not known."""
        own, parent = key_of(record.get(self.tree.id)), self.parent_of(record)
        row = ChainedRow(record)
        row.earlier = self.earlier(parent)
        if own is None:
            row.earlier = wrong_type(self.tree.id, record.get(self.tree.id), "a word or a number")
        elif own in self.exchanges:
            message = f"A row before this one has the {self.tree.id} {own!r:.60} too."
            row.earlier = RowProblem("id_twice", message, "Give each row an id of its own.")
        else:
            self.keep(own, None if self.tree.check(row) else self.exchange(record, parent))
        return [row]

    def parent_of(self, record: Row) -> str | None:
        parent = key_of(record.get(self.tree.parent))
        if parent is None or parent == key_of(record.get(self.tree.id)):
            return None
        return None if parent.lower() in ROOTS and parent not in self.exchanges else parent

    def exchange(self, record: Row, parent: str | None) -> Exchange:
        answer = cell_of(record, self.tree.completion)
        return Exchange(parent, self.tree.question(record), answer)

    def earlier(self, parent: str | None) -> list[Exchange] | RowProblem:
        """The chat up to the row `parent`, from its beginning."""
        chat: list[Exchange] = []
        chars = 0
        while parent is not None:
            exchange = self.exchanges.get(parent)
            if exchange is None:
                message = f"The row before this one, {parent!r:.60}, is broken or not known here."
                fix = "Put rows below the one that they follow, and repair or remove broken ones."
                return RowProblem("no_parent", message, fix)
            chat.append(exchange)
            chars += exchange.chars
            if len(chat) > MAX_TURNS or chars > CHAT_CHARS:
                message = "The chat before this row is too long: "
                message += f"{len(chat):,} rows and {chars:,} characters or more."
                return RowProblem("too_long", message, "Remove the row.")
            parent = exchange.parent
        return chat[::-1]

    def keep(self, own: str, exchange: Exchange | None) -> None:
        """Remember a row; a broken one as such."""
        self.exchanges[own] = exchange
        self.chars += exchange.chars if exchange else 0
        while self.chars > KEPT_CHARS:
            oldest = self.exchanges.pop(next(iter(self.exchanges)))
            self.chars -= oldest.chars if oldest else 0


def key_of(value: Any) -> str | None:
    """An id as text, "7" for 7 and 7.0 alike; None where there is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int) else ""
    return text or None
