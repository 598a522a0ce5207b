"""Several files of an archive, each of a split by its name, as one dataset: file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import accumulate, groupby

from maxaillm.dev.finetune.data.readers.records import Aside, BadRecord, Note, Record, Records
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.data.readers.zip_archives import listed
from maxaillm.dev.finetune.data.rows.splits import COLUMN, split_of
from maxaillm.dev.finetune.errors import DataError

Opener = Callable[[Source], Records]


def records_of_several(sources: Sequence[Source], opened: Opener) -> Records:
    """Raises DataError, naming the file, where one can't be read or is of another kind."""
    files = SeveralFiles(sources, opened)
    first = files.parts[0]
    aside = Aside()
    encodings = {part.encoding for part in files.parts}
    delimiters = {part.delimiter for part in files.parts}
    return replace(
        first,
        encoding=first.encoding if len(encodings) == 1 else "several encodings",
        read=partial(files.read, aside),
        aside=aside,
        doubt=next((part.doubt for part in files.parts if part.doubt), ""),
        delimiter=first.delimiter if len(delimiters) == 1 else None,
        columns=first.columns and tuple(dict.fromkeys((*first.columns, COLUMN))),
        notes=files.notes(),
        progress=files.progress,
    )


class SeveralFiles:
    """Files that are read one after the other; their rows say which split they are of."""

    def __init__(self, sources: Sequence[Source], opened: Opener) -> None:
        self.sources, self.at = sources, 0
        self.parts: list[Records] = []
        for source in sources:
            with named(source):
                self.parts.append(light(source, opened))
            if self.parts[-1].kind != self.parts[0].kind:
                raise DataError(
                    f"The files of the ZIP archive are of several kinds: {sources[0].name!r} is "
                    f"{self.parts[0].kind}, {source.name!r} is {self.parts[-1].kind}.",
                    "Save all of them in the same way, or choose them one by one.",
                    code="mixed_kinds",
                )
        self.starts = list(accumulate((source.size_bytes or 0 for source in sources), initial=0))

    def read(self, aside: Aside) -> Iterator[Record | BadRecord]:
        """A row that names a known split itself is left as it is."""
        aside.clear()
        for at, (source, part) in enumerate(zip(self.sources, self.parts, strict=True)):
            self.at = at
            with named(source):
                for record in part:
                    if isinstance(record, Record) and split_of(record.row) is None:
                        record.row[COLUMN] = source.split
                    yield record
            for code, message in part.aside.notes():
                aside.add(Note(code, f"In {source.name!r}: {message}"))
        self.at = len(self.parts)

    def progress(self) -> float:
        done = float(self.starts[self.at])
        if self.at < len(self.parts):
            done += self.sources[self.at].progress() * (self.starts[self.at + 1] - done)
        return done / max(1, self.starts[-1])

    def notes(self) -> tuple[Note, ...]:
        """What is read, and what each file says of itself; said once where many say the same."""
        read = "; ".join(
            f"{split}: {listed([source.name for source in sources])}"
            for split, sources in groupby(self.sources, key=lambda source: source.split)
        )
        message = f"Files are read one after the other, each with lines of its own. {read}."
        first_said: dict[Note, Source] = {}
        for source, part in zip(self.sources, self.parts, strict=True):
            for note in part.notes:
                first_said.setdefault(note, source)
        told = (
            note if note in source.notes else Note(note.code, f"In {source.name!r}: {note.message}")
            for note, source in first_said.items()
        )
        return (Note("several_files", message), *told)


def light(source: Source, opened: Opener) -> Records:
    """The records of a file; a workbook, which lies in memory whole, is opened when it is read."""
    records = opened(source)
    if records.kind != "spreadsheet":
        return records
    return replace(records, read=lambda: iter(opened(source)))


@contextmanager
def named(source: Source) -> Iterator[None]:
    """What goes wrong is told with the file's name."""
    try:
        yield
    except DataError as error:
        message = f"In {source.name!r}: {error.message}"
        raise DataError(message, error.hint, code=error.code) from error
