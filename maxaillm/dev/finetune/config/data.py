"""The section `data` of a run: what the model is shown."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from maxaillm.dev.finetune.components.plugins import processors
from maxaillm.dev.finetune.components.sections import ADVANCED, Section, applies_to, local
from maxaillm.dev.finetune.config.recommended import held_out_share
from maxaillm.dev.finetune.data.readers.options import ReadOptions
from maxaillm.dev.finetune.tasks import TASKS

MOST_TOKENS = 131_072
"""Of a row: as long as the contexts of today's models are."""
DATASET = local(instead="data.dataset")

if TYPE_CHECKING:
    ProcessorName = str
else:
    ProcessorName = Literal[processors.names] if processors.names else NoneType


class DataSection(Section):
    """What the model is shown."""

    dataset: int | None = Field(
        None, ge=1, title="Dataset", description="A dataset of this site that is ready."
    )
    version: int | None = Field(
        None,
        ge=1,
        title="Version",
        description="Empty: the newest.",
        json_schema_extra=ADVANCED,
    )
    train_file: str | None = Field(None, title="Training file", json_schema_extra=DATASET)
    validation_file: str | None = Field(None, title="Validation file", json_schema_extra=DATASET)
    test_file: str | None = Field(None, title="Test file", json_schema_extra=DATASET)
    reading: ReadOptions = Field(
        ReadOptions(),
        title="How the files are written",
        description="Encoding, delimiter, header rows, sheet, where a file does not tell; "
        "`validate` says what it finds. A dataset has them from its mapping.",
        json_schema_extra=DATASET,
    )
    validation_share: float | None = Field(
        None,
        ge=0,
        le=0.5,
        title="Share held out for validation",
        description="Drawn with the seed where the dataset has no validation split of its own. "
        "Empty: 100 rows, but a twentieth at least and a fifth at most. 0: none.",
        json_schema_extra=ADVANCED,
    )
    max_length: int = Field(
        512,
        ge=16,
        le=MOST_TOKENS,
        title="Maximum length",
        description="Longer rows are cut; how many is counted and said.",
        json_schema_extra={"unit": "tokens"},
    )
    packing: bool = Field(
        True,
        title="Packing",
        description="Several rows share one sequence and can't see each other: faster.",
        json_schema_extra=applies_to(
            tasks=[name for name, task in TASKS.items() if task.packs], method="packs"
        ),
    )
    train_on: Literal["answers", "all"] = Field(
        "answers",
        title="Learn from",
        description="What counts: only what the assistant says (answers), or every token (all).",
        json_schema_extra={"labels": {"answers": "The answers", "all": "Every token"}}
        | applies_to(tasks=["causal_lm"], data="has_answers"),
    )
    learn_reasoning: bool = Field(
        True,
        title="Learn the reasoning",
        description="What the assistant thinks before an answer is learned with it, as TRL and "
        "Axolotl do. Off: it is read, and only the answer behind it is learned.",
        json_schema_extra=ADVANCED,
    )
    control_words: Literal["text", "tokens"] = Field(
        "text",
        title="Control words in texts",
        description="What <|end|> or </s> in a text of the data is: text like any other, as "
        "llama.cpp takes what users write, or the tokenizer's own token, for data that were "
        "written with a model's own marks.",
        json_schema_extra=ADVANCED | {"labels": {"text": "Text", "tokens": "Control tokens"}},
    )
    dataloader_num_workers: int = Field(
        0,
        ge=0,
        le=64,
        title="Data workers",
        description="Processes that make batches ahead. 0: the trainer itself, which is enough "
        "for text.",
        json_schema_extra=ADVANCED,
    )
    dataloader_pin_memory: bool = Field(
        True,
        title="Pinned memory",
        description="Batches reach a GPU faster; it costs a little of the machine's memory.",
        json_schema_extra=ADVANCED,
    )
    processor: ProcessorName | None = Field(
        None,
        title="Data processor",
        description="Of an installed package, to make the model's input. Empty: our own.",
        json_schema_extra=ADVANCED,
    )

    def share_held_out(self, rows: int) -> float:
        """Of so many rows, where the data have no validation split of their own."""
        given = self.validation_share
        return held_out_share(rows) if given is None else given
