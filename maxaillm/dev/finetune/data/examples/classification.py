"""Classification: a text, or a pair of texts, and its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from maxaillm.dev.finetune.data.columns.targets import LabelColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds


@example_kinds.register
class Classification(Example):
    """A text and its class; `pair` is the second text where two are classified together."""

    plural: ClassVar[str] = "texts with a class"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "sequence_classification": ("accuracy", "macro_f1")
    }
    former_names: ClassVar[tuple[str, ...]] = ("Labelled",)
    text: Annotated[str, StringColumn()]
    label: Annotated[str, LabelColumn()]
    pair: Annotated[str | None, StringColumn()] = None
