"""What a training file holds, for an estimate: its task's kind, rows, lengths and labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from maxaillm.dev.finetune.data.columns.messages import AnswerColumn, MessagesColumn, ToolsColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.reading.examples import has_split
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.data.store.batch import stored
from maxaillm.dev.finetune.errors import DataError

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig

SAMPLED_ROWS = 400
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
    """Of the first rows."""
    labels: int
    """Different classes; 1 where rows have none, for a number is one output."""
    has_validation: bool


def look_into(config: RunConfig, folder: Path, rows: int | None) -> Held:
    """`rows` spares reading the whole file where their number is known and classes don't count.

    What was found is remembered until the file changes. Raises DataError.
    """
    if not config.data.train_file:
        raise DataError("No training file is given.", "Set data.train_file.")
    file = Path(config.data.train_file)
    try:
        state = file.stat()
    except OSError as error:
        raise DataError(
            f"{file.name} can't be read: {error.strerror}.", "Check the path."
        ) from None
    found = read(file, folder / "tokenizer.json", rows is None, (state.st_mtime_ns, state.st_size))
    return found if rows is None else found._replace(rows=rows)


@lru_cache(maxsize=64)
def read(file: Path, tokenizer: Path, counts: bool, state: tuple[int, int]) -> Held:  # noqa: FBT001
    """`state` tells one content of a file from the next."""
    examples = (e for e in read_documents(str(file)) if e.split in {None, "train"})
    sample = list(islice(examples, SAMPLED_ROWS))
    if not sample:
        raise DataError("The training file has no rows.", "Choose a file with rows in it.")
    labels = {label for example in sample for label in labels_of(example)}
    seen = len(sample)
    if counts or labels:
        for example in examples:
            seen += 1
            labels.update(labels_of(example))
    length = length_counter(tokenizer)
    return Held(
        kind=type(sample[0]),
        rows=seen,
        lengths=tuple(length(example) for example in sample),
        labels=max(1, len(labels)),
        has_validation=has_split(file, "validation"),
    )


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


def length_counter(file: Path) -> Callable[[Example], Length]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))

    def count(example: Example) -> Length:
        encoded = tokenizer.encode_batch(texts_of(example), add_special_tokens=False)
        turns = TEMPLATE_TOKENS if type(example).columns_of(MessagesColumn) else 1
        parts = [len(part.ids) + turns for part in encoded]
        return Length(sum(parts), parts[-1])

    return count


def cut_of(held: Held, width: int) -> tuple[float, float]:
    """The share of rows that a model of this width is not shown whole, and the tokens that each
    row loses, in the mean. Texts fall into pieces instead."""
    if any(column.is_learned for column in held.kind.columns_of(StringColumn)):
        return 0.0, 0.0
    most = width * max(1, len(held.kind.columns_of(AnswerColumn)))
    lost = [max(0, length.tokens - most) for length in held.lengths]
    return sum(map(bool, lost)) / len(lost), sum(lost) / len(lost)


def rows_of(held: Held, width: int) -> list[Length]:
    """The lengths of the rows that a model of this width is shown: texts fall into pieces, all
    else is cut; of two answers each by itself."""
    most = width * max(1, len(held.kind.columns_of(AnswerColumn)))
    if any(column.is_learned for column in held.kind.columns_of(StringColumn)):
        return [Length(piece, piece) for whole, _ in held.lengths for piece in pieces(whole, width)]
    return [Length(min(whole, most), min(answer, width)) for whole, answer in held.lengths]


def pieces(whole: int, width: int) -> list[int]:
    return [min(width, whole - start) for start in range(0, whole, width)]
