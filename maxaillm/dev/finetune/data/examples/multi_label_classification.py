"""Multi-label classification: a text, or a pair of texts, and its classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from maxaillm.dev.finetune.data.columns.targets import LabelsColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds


@example_kinds.register
class MultiLabelClassification(Example):
    """A text and its classes: several at once, or none."""

    plural: ClassVar[str] = "texts with several classes"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {"sequence_classification": ("micro_f1",)}
    targets: ClassVar[Literal["class", "classes", "number"]] = "classes"
    former_names: ClassVar[tuple[str, ...]] = ("MultiLabelled",)
    text: Annotated[str, StringColumn()]
    labels: Annotated[list[str], LabelsColumn()]
    pair: Annotated[str | None, StringColumn()] = None
