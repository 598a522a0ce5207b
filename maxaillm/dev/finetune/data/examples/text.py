"""Text: a document, of which every token is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds


@example_kinds.register
class Text(Example):
    """A document."""

    plural: ClassVar[str] = "documents"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "causal_lm": ("perplexity",),
        "masked_lm": ("perplexity",),
    }
    text: Annotated[str, StringColumn(is_learned=True)]
