"""Regression: a text, or a pair of texts, and a number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, formats, text_column
from maxaillm.dev.finetune.data.rows.labels.texts import (
    are_numbers,
    find_texts,
    have_decimals,
    number_of,
    texts_in,
    texts_problem,
)
from maxaillm.dev.finetune.data.rows.values import Row, RowProblem, columns_by_name, wrong_type

SCORES = ("score", "rating", "stars", "similarity", "similarity_score", "relatedness_score")
LABELS = ("label", "target")
"""They hold classes as well: only decimals tell that these are amounts."""


@formats.register
class RegressionFormat(DataFormat):
    """A text, or a pair of texts, and the number it is worth."""

    label: ClassVar[str] = "Regression"
    summary: ClassVar[str] = "text (or two that are compared) and score, a number, in each row."
    gives: ClassVar[type[Example]] = Regression
    is_usual: ClassVar[bool] = True

    name: Literal["regression"] = "regression"
    text: str = text_column("text", title="Text", description="What the number is about.")
    score: str = Field("score", title="Number", description="What the model is to estimate.")
    pair: str | None = text_column(
        None, title="Second text", description="Where two texts are compared."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        texts = find_texts(sample)
        present = columns_by_name(sample)
        scores = [present[name] for name in SCORES if name in present]
        labels = [present[name] for name in LABELS if name in present]
        score = next((name for name in scores if are_numbers(sample, name)), None) or next(
            (name for name in labels if have_decimals(sample, name)), None
        )
        if texts is None or score is None:
            return None
        text, pair = texts
        return cls(text=text, pair=pair, score=score)

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls(pair="pair" if "pair" in columns else None)

    def check(self, row: Row) -> RowProblem | None:
        problem = texts_problem(row, self.text, self.pair)
        value = row.get(self.score)
        if problem is not None or number_of(value) is not None:
            return problem
        if value is None or value == "":
            fix = "Fill it in or remove the row."
            return RowProblem("no_score", f"{self.score!r} is empty.", fix)
        if isinstance(value, str | float):
            message = (
                f"{self.score!r} is {str(value)!r:.60}, which is no number of up to 38 digits."
            )
            return RowProblem("no_number", message, "Write a number such as 3.5.")
        return wrong_type(self.score, value, "a number")

    def to_fields(self, row: Row) -> Fields:
        return texts_in(row, self.text, self.pair) | {"score": number_of(row[self.score])}
