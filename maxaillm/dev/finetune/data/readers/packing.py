"""How data is packed, and taking it out: in pieces, up to a limit, its faults put into words."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import re
import struct
import sys
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol
from zipfile import BadZipFile

from maxaillm.dev.finetune.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_BYTES = 20 * 2**30
"""More is not unpacked of one file."""
MAX_RATIO = 200
"""Text shrinks to a tenth, and to a hundredth where its lines are much the same."""
FREE_BYTES = 100 * 10**6
"""So much may come out of any file, however small."""
FAULTS = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
    zstd.ZstdError,
)
"""What the libraries raise for files that are damaged; an OSError may be the disk's as well."""


class Stream(Protocol):
    """What the libraries give to read unpacked bytes from."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class Packing(NamedTuple):
    """A way of packing: its name, what such files begin with, and how one is opened."""

    words: str
    magic: re.Pattern[bytes]
    suffixes: tuple[str, ...]
    open: Callable[[BinaryIO], Stream]


GZIP = Packing(
    "gzip",
    re.compile(rb"\x1f\x8b\x08"),
    (".gz", ".gzip"),
    lambda file: gzip.GzipFile(fileobj=file),
)
BZIP2 = Packing("bzip2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), (".bz2",), bz2.BZ2File)
XZ = Packing("xz", re.compile(rb"\xfd7zXZ\x00"), (".xz",), lzma.LZMAFile)
ZSTANDARD = Packing("Zstandard", re.compile(rb"\x28\xb5\x2f\xfd"), (".zst", ".zstd"), zstd.ZstdFile)
ZIP_MAGIC = re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)")
PACKINGS = (GZIP, BZIP2, XZ, ZSTANDARD)


class Unpacked(io.RawIOBase):
    """What comes out of a packed file. Reading raises DataError at a fault and at a bomb."""

    def __init__(self, file: BinaryIO, packing: Packing, size_bytes: int) -> None:
        self.file, self.packing = file, packing
        self.limit = limit_of(size_bytes)
        self.taken = 0
        try:
            self.stream = packing.open(file)
        except (*FAULTS, OSError) as error:
            file.close()
            raise self.broken(error) from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        try:
            piece = self.stream.read(len(view))
        except (*FAULTS, OSError) as error:
            raise self.broken(error) from error
        self.taken += len(piece)
        if self.taken > self.limit:
            raise too_large(self.limit)
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            if hasattr(self, "stream"):
                self.stream.close()
            self.file.close()
        super().close()

    def broken(self, error: Exception) -> Exception:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            return error  # of the disk, not of the archive
        where = f"after {self.taken:,} bytes of data" if self.taken else "at its beginning"
        reason = "it ends too early" if isinstance(error, EOFError) else f"it is damaged ({error})"
        words = self.packing.words
        return DataError(
            f"The file is packed with {words} and can't be unpacked {where}: {reason}.",
            "It may be cut off: get it once more, or unpack it and choose what was in it.",
            code="broken_archive",
        )


def limit_of(size_bytes: int) -> int:
    """How many bytes may come out of a packed file of this size."""
    return min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * size_bytes))


def too_large(limit: int) -> DataError:
    return DataError(
        f"Unpacked, the file holds more than {limit / 10**6:,.0f} MB, which is the limit for "
        "a packed file of its size.",
        "Unpack it yourself, or split it into several files.",
        code="unpacked_too_large",
    )
