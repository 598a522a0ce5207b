"""Translations: an object with the same text in two languages, as the sets of WMT have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    all_columns,
    is_mostly,
    object_of,
    text_problem,
    wrong_type,
)


@formats.register
class TranslationFormat(DataFormat):
    """The same text in two languages; the first is translated into the second."""

    label: ClassVar[str] = "Translation"
    summary: ClassVar[str] = (
        "translation: an object with two languages, from the first to the second."
    )
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["translation"] = "translation"
    translation: str = Field(
        "translation",
        title="Translation",
        description="An object with two languages, such as {en, de}; the model learns to "
        "translate the first into the second.",
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        """Only where all rows have the same languages in the same order."""
        if "translation" not in all_columns(sample):
            return None
        languages = {tuple(pair) for row in sample if (pair := object_of(row.get("translation")))}
        is_pair = len(languages) == 1 and len(next(iter(languages))) == 2
        return cls() if is_pair and is_mostly(sample, is_translated) else None

    def check(self, row: Row) -> RowProblem | None:
        languages = object_of(row.get(self.translation))
        if languages is None:
            if row.get(self.translation) is None:
                return text_problem(row, self.translation)
            return wrong_type(self.translation, row[self.translation], "an object of two languages")
        if len(languages) != 2:
            message = f"{self.translation!r} has {len(languages)} languages, not two."
            return RowProblem("language_count", message, "Keep the two that are to be learned.")
        source, target = languages
        return text_problem(languages, source) or text_problem(languages, target)

    def to_fields(self, row: Row) -> Fields:
        source, target = (object_of(row[self.translation]) or {}).values()
        return conversation_of([Turn("user", source), Turn("assistant", target)])


def is_translated(row: Row) -> bool:
    languages: dict[str, Any] = object_of(row.get("translation")) or {}
    return bool(languages) and all(isinstance(text, str) for text in languages.values())
