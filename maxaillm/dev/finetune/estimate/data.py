"""What a training file holds, for an estimate: its task's kind, rows, lengths and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, MessagesColumn, ToolsColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example, StoredExample
from maxaillm.dev.finetune.data.readers.options import ReadOptions
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.data.store.batch import stored
from maxaillm.dev.finetune.data.store.store import RowStore, holds_rows
from maxaillm.dev.finetune.errors import DataError

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig

SAMPLED_ROWS = 400
SAMPLED_BLOCKS = 20
TRAINED = (None, "train")
"""Splits whose rows are trained on."""
TEMPLATE_TOKENS = 4
"""What a chat template adds to a turn beside the role, about."""


class Length(NamedTuple):
    """Tokens of a row, and those of its last text, which an encoder-decoder is to write."""

    tokens: int
    answer: int


class Held(NamedTuple):
    """What a file has for training."""

    kind: type[Example]
    rows: int
    lengths: tuple[Length, ...]
    """Of some rows out of all parts of the file, for files are often sorted."""
    labels: int
    """Different classes; 1 where rows have none, for a number is one output."""
    validation_rows: int
    tokens: frozenset[int]
    """Those that these rows have."""


class Survey(NamedTuple):
    """A file, counted: how many rows each split has, some for training, and their classes."""

    splits: Counter[str | None]
    sample: list[Example]
    labels: set[str]


def look_into(config: RunConfig, folder: Path) -> Held:
    """What was found is remembered until the file changes. Raises DataError."""
    data = config.data
    if not data.train_file:
        raise DataError("No training file is given.", "Set data.train_file.")
    state = FileState.of(data.train_file, data.reading)
    held = read(state, folder / "tokenizer.json")
    if data.validation_file:
        others = survey(FileState.of(data.validation_file, data.reading)).splits
        return held._replace(validation_rows=others.total())
    return held


class FileState(NamedTuple):
    """A file, what tells one content of it from the next, and how it is read."""

    file: Path
    changed: int
    size: int
    options: ReadOptions

    @classmethod
    def of(cls, name: str, options: ReadOptions) -> FileState:
        """Raises DataError."""
        file = Path(name)
        try:
            state = file.stat()
        except OSError as error:
            raise DataError(
                f"{file.name} can't be read: {error.strerror}.", "Check the path."
            ) from None
        return cls(file, state.st_mtime_ns, state.st_size, options)


@lru_cache(maxsize=64)
def read(state: FileState, tokenizer: Path) -> Held:
    found = survey(state)
    if not found.sample:
        raise DataError("The training file has no rows.", "Choose a file with rows in it.")
    tokens: set[int] = set()
    length = length_counter(tokenizer, tokens)
    return Held(
        kind=type(found.sample[0]),
        rows=sum(found.splits[split] for split in TRAINED),
        lengths=tuple(length(example) for example in found.sample),
        labels=max(1, len(found.labels)),
        validation_rows=found.splits["validation"],
        tokens=frozenset(tokens),
    )


@lru_cache(maxsize=64)
def survey(state: FileState) -> Survey:
    if holds_rows(state.file):
        return survey_store(RowStore(state.file))
    return survey_file(state.file, state.options)


def survey_store(store: RowStore) -> Survey:
    """By the columns that tell splits and classes, and a few rows from all over the file."""
    targets = [column.name for column in store.kind.target_columns()]
    splits: Counter[str | None] = Counter()
    labels: set[str] = set()
    places: list[int] = []
    for batch in store.file.iter_batches(columns=["split", *targets]):
        for fields in batch.to_pylist():
            if fields["split"] in TRAINED:
                places.append(splits.total())
                labels.update(store.kind.labels_of(told(fields)) if targets else ())
            splits[fields["split"]] += 1
    sample = [store.kind.model_validate(row.example) for row in store.at(blocks_of(places))]
    return Survey(splits, sample, labels)


def told(fields: Mapping[str, Any]) -> StoredExample:
    return {name: value for name, value in fields.items() if value is not None}


def blocks_of(places: Sequence[int]) -> list[int]:
    """Some places out of all: blocks of rows that follow each other, so that few parts of a file
    are unpacked."""
    if len(places) <= SAMPLED_ROWS:
        return list(places)
    wide = SAMPLED_ROWS // SAMPLED_BLOCKS
    begins = (
        block * (len(places) - wide) // (SAMPLED_BLOCKS - 1) for block in range(SAMPLED_BLOCKS)
    )
    return [place for begin in begins for place in places[begin : begin + wide]]


def survey_file(file: Path, options: ReadOptions) -> Survey:
    """Every k-th row, k growing with the file."""
    splits: Counter[str | None] = Counter()
    labels: set[str] = set()
    sample: list[Example] = []
    stride, trained = 1, 0
    for example in read_documents(str(file), options=options):
        splits[example.split] += 1
        if example.split not in TRAINED:
            continue
        labels.update(labels_of(example))
        if trained % stride == 0:
            sample.append(example)
        trained += 1
        if len(sample) == 2 * SAMPLED_ROWS:
            sample, stride = sample[::2], 2 * stride
    return Survey(splits, sample, labels)


def labels_of(example: Example) -> list[str]:
    kind = type(example)
    return kind.labels_of(stored(example)) if kind.target_columns() else []


def texts_of(example: Example) -> list[str]:
    """Every text that a model reads of `example`; of several answers, each with the prompt."""
    fields, columns = stored(example), type(example).text_columns()
    answers = [column for column in columns if isinstance(column, AnswerColumn)]
    prompt = [column for column in columns if not isinstance(column, AnswerColumn)]
    tools = (fields.get(column.name) for column in type(example).columns_of(ToolsColumn))
    texts = [
        f"{piece.part}\n{piece.text}" if isinstance(column, MessagesColumn) else piece.text
        for read in [[*prompt, answer] for answer in answers] or [prompt]
        for column in read
        for piece in column.pieces(fields)
    ]
    return [*filter(None, tools), *texts]


def length_counter(file: Path, tokens: set[int]) -> Callable[[Example], Length]:
    """What counts the tokens of a row; it gathers them in `tokens`."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()  # files may say that every text is made as long as the longest
    tokenizer.no_truncation()

    def count(example: Example) -> Length:
        encoded = tokenizer.encode_batch(texts_of(example), add_special_tokens=False)
        turns = TEMPLATE_TOKENS if type(example).columns_of(MessagesColumn) else 1
        parts = [len(part.ids) + turns for part in encoded]
        tokens.update(number for part in encoded for number in part.ids)
        return Length(sum(parts), parts[-1])

    return count


def cut_of(held: Held, width: int, *, answers_apart: bool = False) -> tuple[float, float]:
    """The share of rows that a model of this width is not shown whole, and the tokens that each
    row loses, in the mean. Texts fall into pieces instead."""
    if any(column.is_learned for column in held.kind.columns_of(StringColumn)):
        return 0.0, 0.0
    most = width * max(1, len(held.kind.columns_of(AnswerColumn)))
    if answers_apart:
        lost = [max(0, n - a - width) + max(0, a - width) for n, a in held.lengths]
    else:
        lost = [max(0, length.tokens - most) for length in held.lengths]
    return sum(map(bool, lost)) / len(lost), sum(lost) / len(lost)


def rows_of(held: Held, width: int, *, answers_apart: bool = False) -> list[Length]:
    """The lengths of the rows that a model of this width is shown: texts fall into pieces, all
    else is cut; of two answers each by itself, and so is one that a decoder has."""
    if answers_apart:
        cut = ((min(whole - answer, width), min(answer, width)) for whole, answer in held.lengths)
        return [Length(read + written, written) for read, written in cut]
    most = width * max(1, len(held.kind.columns_of(AnswerColumn)))
    if any(column.is_learned for column in held.kind.columns_of(StringColumn)):
        return [Length(piece, piece) for whole, _ in held.lengths for piece in pieces(whole, width)]
    return [Length(min(whole, most), min(answer, width)) for whole, answer in held.lengths]


def pieces(whole: int, width: int) -> list[int]:
    return [min(width, whole - start) for start in range(0, whole, width)]
