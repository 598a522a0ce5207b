"""Plain text: one document a row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal, Self

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats, text_column
from maxaillm.dev.finetune.data.rows.values import (
    METADATA,
    Row,
    RowProblem,
    all_columns,
    cell_of,
    text_columns,
    text_problem,
)

LABELS = {"label", "labels", "target", "class"}


@formats.register
class TextFormat(DataFormat):
    """A document a row; all of it is learned."""

    label: ClassVar[str] = "Text"
    summary: ClassVar[str] = "text in each row, or a text file."
    gives: ClassVar[type[Example]] = Text
    is_usual: ClassVar[bool] = True

    name: Literal["text"] = "text"
    text: str = text_column("text", title="Text", description="The document.")

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """A second column with text, or one of labels, may be what matters: the owner is asked."""
        texts = text_columns(sample)
        column = texts.get("text") or texts.get("content")
        others = {name for name in texts if texts[name] != column}
        is_labelled = any(name.strip().lower() in LABELS for name in all_columns(sample))
        return None if column is None or is_labelled or others - METADATA else cls(text=column)

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls()

    def check(self, row: Row) -> RowProblem | None:
        return text_problem(row, self.text)

    def to_fields(self, row: Row) -> Fields:
        return {"text": cell_of(row, self.text)}
