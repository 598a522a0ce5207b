"""Token labels: the words of a text, and a tag for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from maxaillm.dev.finetune.data.columns.targets import TagsColumn
from maxaillm.dev.finetune.data.columns.texts import WordsColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds


@example_kinds.register
class TokenLabels(Example):
    """The words of a text, a tag each: IOB2 (B-PER, I-PER, O) or plain (NOUN, VERB)."""

    plural: ClassVar[str] = "words with tags"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "token_classification": ("accuracy", "macro_f1")
    }
    former_names: ClassVar[tuple[str, ...]] = ("Tagged",)
    tokens: Annotated[list[str], WordsColumn()]
    tags: Annotated[list[str], TagsColumn()]
