"""Tagged words: CoNLL, CoNLL-U, BIO: a word a line, an empty line between sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from maxaillm.dev.finetune.data.readers.cleaning import clean, is_dirty
from maxaillm.dev.finetune.data.readers.encoding import Encoding
from maxaillm.dev.finetune.data.readers.lines import (
    SNIPPET_CHARS,
    Line,
    is_too_long,
    lines,
    too_long,
)
from maxaillm.dev.finetune.data.readers.records import (
    RECORD_CHARS,
    Aside,
    BadRecord,
    Note,
    Record,
    Records,
)
from maxaillm.dev.finetune.data.readers.sources import Source

SUFFIXES = {".conll", ".conllu", ".conllx", ".iob", ".iob2", ".bio", ".bmes", ".bioes", ".ner"}
TAG = re.compile(r"O|(?:B|I|E|S|L|U|M)[-_]\S+")
NUMBER = re.compile(r"\d+")
PART_NUMBER = re.compile(r"\d+[-.]\d+")
"""CoNLL-U: words that are written as one, and words that are not written."""
CONLL_U = ("id", "tokens", "lemmas", "pos_tags", "xpos_tags", "features", "heads", "relations",
           "dependencies", "misc")  # fmt: skip
NAMED = {
    2: ("tokens", "tags"),
    3: ("tokens", "pos_tags", "tags"),
    4: ("tokens", "pos_tags", "chunk_tags", "ner_tags"),
}
"""As in the shared tasks of CoNLL: the word, its part of speech, the phrase, the entity."""
SAMPLED_LINES = 2_000
DOCUMENT = "-DOCSTART-"


class Fields(NamedTuple):
    """What stands on each line, and what divides it."""

    names: tuple[str, ...]
    delimiter: str | None
    """None: blanks of any kind."""

    def split(self, line: str) -> list[str]:
        return line.rstrip("\r\n").split(self.delimiter) if self.delimiter else line.split()


def tagged_fields(head: str, suffix: str) -> Fields | None:
    """What the lines of `head` hold, where it is tagged words by its suffix or by its tags."""
    sample = head.splitlines()[:SAMPLED_LINES]
    filled = [line for line in sample if line.strip() and not line.startswith(("#", DOCUMENT))]
    if not filled:
        return None
    tabs = sum("\t" in line for line in filled) * 2 > len(filled)
    rows = [Fields((), "\t" if tabs else None).split(line) for line in filled]
    width, count = Counter(map(len, rows)).most_common(1)[0]
    rows = [row for row in rows if len(row) == width]
    is_named = suffix in SUFFIXES
    if width < 2 or suffix == ".csv" or (count < 0.9 * len(filled) and not is_named):
        return None
    is_treebank = width == len(CONLL_U) and sum(is_place(row[0]) for row in rows) == len(rows)
    has_gaps = any(not line.strip() for line in sample[:-1])
    is_tagged = has_gaps and are_tags([row[-1] for row in rows])
    if not (is_named or is_treebank or is_tagged):
        return None
    return Fields(CONLL_U if is_treebank else names_of(rows, width), "\t" if tabs else None)


def is_place(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or PART_NUMBER.fullmatch(cell))


def are_tags(cells: list[str]) -> bool:
    tags = sum(TAG.fullmatch(cell) is not None for cell in cells)
    return tags >= 0.95 * len(cells) and any(cell != "O" for cell in cells)


def names_of(rows: list[list[str]], width: int) -> tuple[str, ...]:
    if width > 2 and all(NUMBER.fullmatch(row[0]) for row in rows):
        return ("id", *names_of([row[1:] for row in rows], width - 1))
    between = tuple(f"column_{place}" for place in range(2, width))
    return NAMED.get(width, ("tokens", *between, "tags"))


def tagged_records(source: Source, encoding: Encoding, fields: Fields) -> Records:
    aside = Aside()
    columns = tuple(name for name in fields.names if name != "id")
    read = partial(read_tagged_words, source, encoding, fields, aside)
    return Records("conll", encoding.words, read, columns=columns, aside=aside)


def read_tagged_words(
    source: Source, encoding: Encoding, fields: Fields, aside: Aside
) -> Iterator[Record | BadRecord]:
    aside.clear()
    sentence = Sentence(fields, encoding)
    with encoding.open(source) as file:
        for number, line in lines(file):
            if line.strip() and not line.startswith(DOCUMENT):
                sentence.add(number, line)
            elif (record := sentence.take()) is not None:
                yield record
    if (record := sentence.take()) is not None:
        yield record
    for what, count in sentence.left_out.items():
        aside.add(Note("no_words", f"{count:,} {what} left out."))


class Sentence:
    """The lines since the last empty one."""

    def __init__(self, fields: Fields, encoding: Encoding) -> None:
        self.fields, self.encoding = fields, encoding
        self.left_out: Counter[str] = Counter()
        self.start()

    def start(self) -> None:
        self.rows: list[list[str]] = []
        self.number, self.chars = 0, 0
        self.bad: BadRecord | None = None

    def add(self, number: int, line: str) -> None:
        cells, width = self.fields.split(line), len(self.fields.names)
        if line.startswith("#") and len(cells) != width:
            self.left_out["lines of comments (#) are"] += 1
            return
        self.number = self.number or number
        self.chars += len(line)
        if is_too_long(line) or self.chars > RECORD_CHARS:
            self.bad = too_long(Line(self.number, line))
        elif len(cells) != width:
            self.bad = self.bad or ragged(number, len(cells), width, line)
        elif self.fields.names[0] == "id" and PART_NUMBER.fullmatch(cells[0]):
            self.left_out["lines of words that others make up (1-2) or that are unwritten are"] += 1
        else:
            self.rows.append(cells)

    def take(self) -> Record | BadRecord | None:
        """The sentence; None where there are no words since the last one."""
        rows, number, bad = self.rows, self.number, self.bad
        self.start()
        if bad is not None or not rows:
            return bad
        row = {
            name: list(column)
            for name, column in zip(self.fields.names, zip(*rows, strict=True), strict=True)
            if name != "id"
        }
        notes: set[Note] = set()
        if any(is_dirty(cell, is_broken=self.encoding.is_broken) for each in rows for cell in each):
            row = clean(row, notes)
        return Record(row, number, tuple(sorted(notes)))


def ragged(number: int, found: int, width: int, line: str) -> BadRecord:
    return BadRecord(
        number,
        "wrong_width",
        f"Line {number:,} of this sentence has {found} field{'s' * (found != 1)}, others have "
        f"{width}.",
        line.rstrip("\r\n")[:SNIPPET_CHARS],
        "Give each word all its tags, and put an empty line between sentences.",
    )
