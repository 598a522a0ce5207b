"""Format recognition: which format a dataset is in, or what its owner has to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from maxaillm.dev.finetune.data.formats import DataFormat, recognise
from maxaillm.dev.finetune.data.formats.classification import ClassificationFormat
from maxaillm.dev.finetune.data.formats.multi_label import MultiLabelFormat
from maxaillm.dev.finetune.data.formats.prompt_completion import PromptCompletionFormat
from maxaillm.dev.finetune.data.formats.text import TextFormat
from maxaillm.dev.finetune.data.formats.token_classification import (
    TokenClassificationFormat,
    tag_columns,
)
from maxaillm.dev.finetune.data.readers import ReadOptions, Record, Records, open_records
from maxaillm.dev.finetune.data.reading.unsupported import refuse_unanswered, refuse_unsupported
from maxaillm.dev.finetune.data.rows.labels.lists import separator_of
from maxaillm.dev.finetune.data.rows.labels.texts import are_labels
from maxaillm.dev.finetune.data.rows.values import METADATA, Row, all_columns, text_columns
from maxaillm.dev.finetune.errors import DataError

SAMPLE_ROWS = 1_000
SAMPLE_CELLS = 50_000
"""Of tables with more than fifty columns fewer rows are looked at: every format looks at each."""
SHOWN_COLUMNS = 12
FEW_ROWS = 20
"""Of fewer rows nobody can say that the same few values come again and again."""


class NeedsMappingError(DataError):
    """The columns don't tell what they hold, or tell it in two ways."""

    def __init__(
        self, message: str, hint: str, candidates: Sequence[DataFormat], guess: DataFormat | None
    ) -> None:
        super().__init__(message, hint, code="needs_mapping")
        self.candidates, self.guess = list(candidates), guess


def sample_of(records: Records) -> list[Row]:
    rows = (record.row for record in records if isinstance(record, Record))
    return list(islice(rows, SAMPLE_ROWS))


def refuse_doubt(records: Records, sample: Sequence[Row], chosen: DataFormat | None) -> None:
    """Raise NeedsMappingError where only its owner can say how the file is to be read."""
    if not records.doubt:
        return
    matches = recognise(sample)
    guess = chosen or (matches[0] if matches else best_guess(sample))
    hint = "Choose the encoding in which the rows read right, or save the file as UTF-8."
    raise NeedsMappingError(records.doubt, hint, [], guess)


def format_of(sample: Sequence[Row], *, asks: bool = True) -> DataFormat:
    """The one format of `sample`; where nobody can be asked, as it is usually meant.

    Raises DataError where it is data that can't be trained on, NeedsMappingError where the
    owner has to choose the columns.
    """
    sample = sample[: max(50, SAMPLE_CELLS // max(1, len(all_columns(sample))))]
    refuse_unsupported(sample)
    matches = recognise(sample)
    if len(matches) == 1:
        return the_reading(matches[0], sample) if asks else matches[0]
    if matches:
        names = " or ".join(map(in_words, matches))
        raise NeedsMappingError(
            f"The file can be read as {names}.", "Choose the format.", matches, matches[0]
        )
    refuse_unanswered(sample)
    guess = best_guess(sample)
    hint = "Choose a format and the columns that it reads."
    if guess is not None:
        hint += f" A guess from the values: {in_words(guess)}."
    raise NeedsMappingError(missing_sentence(sample), hint, [], guess)


def usual_format(path: str, options: ReadOptions | None = None) -> DataFormat | None:
    """How the file at `path` is read where nobody can be asked; None where that is not told."""
    try:
        sample = sample_of(open_records(path, options=options))
        return format_of(sample, asks=False) if sample else None
    except DataError:
        return None


def the_reading(match: DataFormat, sample: Sequence[Row]) -> DataFormat:
    """The format, where its columns can be meant in one way. Raises NeedsMappingError."""
    others = match.other_readings(sample)
    if not others:
        return match
    raise NeedsMappingError(match.asked, "Choose what one row is.", [match, *others], match)


def in_words(data_format: DataFormat) -> str:
    hidden = {"name", *data_format.no_columns()}
    columns = data_format.model_dump(exclude=hidden, exclude_none=True)
    roles = (
        f"{role} = {column if isinstance(column, str) else listed(column)}"
        for role, column in columns.items()
    )
    return f"{data_format.label} ({', '.join(roles)})"


def missing_sentence(sample: Sequence[Row]) -> str:
    columns = all_columns(sample)
    texts = set(text_columns(sample).values())
    nested = nested_columns(sample)
    if not texts and nested:
        return f"The columns hold lists or objects ({listed(nested)}); no one format has them."
    if not texts:
        return f"No column holds text: {listed(columns)}."
    told = f"The columns don't say what is asked and what is answered: {listed(columns)}."
    return f"{told} Some hold lists or objects: {listed(nested)}." if nested else told


def nested_columns(sample: Sequence[Row]) -> list[str]:
    return [
        name
        for name in all_columns(sample)
        if any(isinstance(row.get(name), list | dict) for row in sample)
    ]


def listed(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN_COLUMNS
    shown = ", ".join(name[:40] for name in names[:SHOWN_COLUMNS])
    return f"{shown} and {rest} more" if rest > 0 else shown


def best_guess(sample: Sequence[Row]) -> DataFormat | None:
    """What the values look like: tagged words, labels beside texts, pairs of texts, texts."""
    tags = tag_columns(sample)
    if tags and "tokens" in all_columns(sample):
        return TokenClassificationFormat(tokens="tokens", tags=tags[0])
    texts = [
        name
        for key, name in text_columns(sample).items()
        if key not in METADATA and is_filled(sample, name)
    ]
    if not texts:
        return None
    longest = max(texts, key=lambda name: text_length(sample, name))
    for name in texts:
        divider = separator_of(sample, name) if name != longest else None
        if divider is not None and divider.is_sure:
            return MultiLabelFormat(text=longest, labels=name, separator=divider.text)
    labels = [name for name in texts if name != longest and has_few_values(sample, name)]
    if labels:
        return ClassificationFormat(text=longest, target=labels[0])
    if len(texts) > 1:
        return PromptCompletionFormat(prompt=texts[0], completion=texts[1])
    is_label = len(sample) >= FEW_ROWS and has_few_values(sample, longest)
    is_title = bool(nested_columns(sample)) and text_length(sample, longest) < 30 * len(sample)
    return None if is_label or is_title else TextFormat(text=longest)


def is_filled(sample: Sequence[Row], name: str) -> bool:
    return sum(bool(row.get(name)) for row in sample) * 2 >= len(sample)


def text_length(sample: Sequence[Row], name: str) -> int:
    return sum(len(value) for row in sample if isinstance(value := row.get(name), str))


def has_few_values(sample: Sequence[Row], name: str) -> bool:
    values = [str(row.get(name)) for row in sample]
    return len(set(values)) <= max(2, len(values) // 10) and are_labels(sample, name)
