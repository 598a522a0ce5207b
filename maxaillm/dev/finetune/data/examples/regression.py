"""Regression: a text, or a pair of texts, and the number it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from maxaillm.dev.finetune.data.columns.targets import ScoreColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds
from maxaillm.dev.finetune.data.rows.labels.texts import MAX_NUMBER


@example_kinds.register
class Regression(Example):
    """A text and its score; `pair` is the second text where two have one score."""

    plural: ClassVar[str] = "texts with a score"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {"sequence_classification": ("mae", "pearson")}
    targets: ClassVar[Literal["class", "classes", "number"]] = "number"
    former_names: ClassVar[tuple[str, ...]] = ("Scored",)
    text: Annotated[str, StringColumn()]
    score: Annotated[float, ScoreColumn(), Field(gt=-MAX_NUMBER, lt=MAX_NUMBER)]
    pair: Annotated[str | None, StringColumn()] = None
