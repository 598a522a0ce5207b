"""Data processors: a model's input made by somebody else's code. Their contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from maxaillm.dev.finetune.data.readers import BadRecord, ReadOptions, open_records
from maxaillm.dev.finetune.data.reading.recognition import sample_of
from maxaillm.dev.finetune.data.rows.splits import Split, SplitColumn
from maxaillm.dev.finetune.errors import DataError


class DataProcessor(ABC):
    """Turns columns of a data file into what the model sees and learns.

    An installed package offers one by an entry point in the group `maxaillm.processors`; a run
    names it as `data.processor`. It serves tasks whose labels are tokens.
    """

    def __init__(self, tokenizer: Any, max_length: int = 512) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length

    @abstractmethod
    def preprocess_function(self, examples: Mapping[str, list[Any]]) -> Mapping[str, Any]:
        """`input_ids`, `labels` and perhaps `attention_mask` of some rows.

        `examples` holds a list a column, as `datasets.Dataset.map(batched=True)` gives it. What
        is padding (by the mask, or the pad token in the labels) is not learned.
        """


class RawRow(BaseModel):
    """A row as the file has it, and the part of the dataset that it is in."""

    model_config = ConfigDict(frozen=True)
    row: dict[str, Any]
    split: Split | None = None


def read_raw_rows(path: str | Path, options: ReadOptions | None = None) -> Iterator[RawRow]:
    """The rows of a file, whatever their columns mean. Raises DataError at a broken one."""
    records = open_records(path, options=options)
    split_column = SplitColumn(sample_of(records))
    for number, record in enumerate(records, start=1):
        if isinstance(record, BadRecord):
            message = f"Row {number}, line {record.line} of the file: {record.message}"
            raise DataError(message, record.fix, code=record.code)
        yield RawRow(row=record.row, split=split_column.of(record.row))
