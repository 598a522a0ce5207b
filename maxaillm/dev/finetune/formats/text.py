"""Plain text: one document a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, Field

from maxaillm.dev.finetune.cells import Row, RowProblem, text_columns, text_problem
from maxaillm.dev.finetune.formats import DataFormat, Text, formats

METADATA = set(
    """
    id idx index uid uuid url uri link source origin title name author date time timestamp created
    lang language license split file filename path meta metadata md5 hash added token_count
    """.split()  # noqa: SIM905
)


@formats.register
class PlainText(DataFormat):
    """A document a row; all of it is learned."""

    label: ClassVar[str] = "Text"
    summary: ClassVar[str] = "text in each row, or a text file."
    gives: ClassVar[type[BaseModel]] = Text

    name: Literal["text"] = "text"
    text: str = Field("text", title="Text", description="The document.")

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """A second column with text may be what matters: then the owner is asked."""
        texts = text_columns(sample)
        column = texts.get("text") or texts.get("content")
        others = {name for name in texts if texts[name] != column}
        return None if column is None or others - METADATA else cls(text=column)

    def check(self, row: Row) -> RowProblem | None:
        return text_problem(row, self.text)

    def to_example(self, row: Row) -> Text:
        return Text(text=row[self.text])
