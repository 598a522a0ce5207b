"""Which encoding a file is in, and whether it is text at all."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from io import TextIOWrapper
from typing import NamedTuple, TextIO

from maxaillm.dev.finetune.data.readers.legacy_encodings import guessed_encoding
from maxaillm.dev.finetune.data.readers.options import ENCODINGS
from maxaillm.dev.finetune.data.readers.packing import PACKINGS, ZIP_MAGIC
from maxaillm.dev.finetune.data.readers.sources import HEAD_BYTES, Source
from maxaillm.dev.finetune.errors import DataError

CHUNK = 2**20
TAKES = (
    "CSV, TSV, JSON, JSON Lines, plain text, XLSX, XLS, ODS, Parquet and Arrow files are taken, "
    "also packed with gzip, bzip2, xz or Zstandard, or in a ZIP archive, alone or a file a split."
)
MAGIC = {
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x04\x22\x4d\x18": "an LZ4 archive",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
    b"{\\rtf": "a rich text document",
}
BOMS = {  # UTF-32 first: its little-endian mark begins with that of UTF-16
    b"\xff\xfe\x00\x00": ("utf-32", "UTF-32"),
    b"\x00\x00\xfe\xff": ("utf-32", "UTF-32"),
    b"\xef\xbb\xbf": ("utf-8-sig", "UTF-8 with byte order mark"),
    b"\xff\xfe": ("utf-16", "UTF-16, little endian"),
    b"\xfe\xff": ("utf-16", "UTF-16, big endian"),
}
CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))


def mark_broken(error: UnicodeError) -> tuple[str, int]:
    """Undecodable bytes become half a surrogate pair, which cleaning finds and tells of."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error("mark_broken", mark_broken)


class Encoding(NamedTuple):
    """A codec, its name in words, and whether some bytes do not fit it."""

    codec: str
    words: str
    is_broken: bool = False
    doubt: str = ""
    """Why only the owner can say whether it is this one."""

    @property
    def option(self) -> str | None:
        """As an owner would choose it; None where the file itself leaves no choice."""
        return self.codec if self.codec in ENCODINGS else None

    def open(self, source: Source, newline: str | None = "") -> TextIO:
        return TextIOWrapper(source.open(), self.codec, "mark_broken", newline)


def encoding_of(source: Source, chosen: str | None = None) -> Encoding:
    """Read the whole file once, piece by piece: the one odd byte may come last.

    `chosen` is what its owner says. Raises DataError for an empty file and one that is not text.
    """
    head = source.head()
    if not head.strip() and len(head) < HEAD_BYTES:
        raise DataError("The file is empty.", "Choose a file with rows.", code="empty_file")
    if chosen is not None:
        return chosen_encoding(source, head, chosen)
    for bom, (codec, words) in BOMS.items():
        if head.startswith(bom):
            return Encoding(codec, words, is_broken=first_misfit(source, codec) is not None)
    refuse_binary(head, source)
    if wide := utf16_without_mark(head):
        return wide._replace(is_broken=first_misfit(source, wide.codec) is not None)
    refuse_controls(head)
    misfit = first_misfit(source, "utf-8")
    if misfit is None:
        return Encoding("utf-8", "UTF-8")
    return legacy_encoding(source, misfit)


def chosen_encoding(source: Source, head: bytes, codec: str) -> Encoding:
    words = ENCODINGS[codec]
    if codec == "utf-8" and head.startswith(codecs.BOM_UTF8):
        codec = "utf-8-sig"
    return Encoding(codec, words, is_broken=first_misfit(source, codec) is not None)


def refuse_binary(head: bytes, source: Source) -> None:
    if source.packing is not None and any(
        magic.match(head) for magic in (ZIP_MAGIC, *(packing.magic for packing in PACKINGS))
    ):
        raise DataError(
            f"The {source.packing.words} archive holds another archive, {source.name!r}.",
            "Unpack it and choose the data file.",
            code="nested_archive",
        )
    kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
    if head[257:262] == b"ustar":
        kind = "a TAR archive"
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        kind = "a web page or XML document"
    if kind is not None:
        raise DataError(
            f"The file looks like {kind}, whatever its name says.", TAKES, code="unsupported_file"
        )


def refuse_controls(head: bytes) -> None:
    controls = len(head) - len(head.translate(None, CONTROLS))
    if len(head) >= 64 and controls > len(head) // 10:
        raise DataError("The file is not text.", TAKES, code="unsupported_file")


def utf16_without_mark(head: bytes) -> Encoding | None:
    """Text of Western letters in UTF-16 has a zero in every other place."""
    if len(head) < 8 or b"\0" not in head:
        return None
    even, odd = (head[start::2].count(0) / len(head[start::2]) for start in (0, 1))
    if odd > 0.4 and even < 0.05:
        return Encoding("utf-16-le", "UTF-16, little endian, without byte order mark")
    if even > 0.4 and odd < 0.05:
        return Encoding("utf-16-be", "UTF-16, big endian, without byte order mark")
    return None


def chunks(source: Source) -> Iterator[bytes]:
    with source.open() as file:
        while chunk := file.read(CHUNK):
            yield chunk


def first_misfit(source: Source, codec: str) -> int | None:
    """The offset of about the first byte that is not `codec`, or None."""
    decoder = codecs.getincrementaldecoder(codec)()
    offset = 0
    try:
        for chunk in chunks(source):
            decoder.decode(chunk)
            offset += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return offset + error.start
    except UnicodeError:  # UTF-16 and UTF-32 say so where the file ends within the mark
        return offset
    return None


def legacy_encoding(source: Source, misfit: int) -> Encoding:
    """What a file is in that is not UTF-8, told from the text around the first misfit."""
    start = max(0, misfit - CHUNK // 8)
    sample = source.piece(start, CHUNK // 4)
    if start:
        sample = sample[sample.find(b"\n") + 1 :]
    as_utf8 = sample.decode("utf-8", "replace")
    broken = as_utf8.count("�")
    fitting = sum(not char.isascii() for char in as_utf8) - broken
    if fitting >= 10 * broken:
        return Encoding("utf-8", "UTF-8 with some broken characters", is_broken=True)
    guess = guessed_encoding(sample)
    is_broken = first_misfit(source, guess.codec) is not None
    if guess.codec == "cp1252" and is_broken:
        return Encoding("iso8859-1", "Latin-1")
    return Encoding(guess.codec, ENCODINGS[guess.codec], is_broken, guess.doubt)
