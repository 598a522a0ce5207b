"""Where the bytes of a data file come from: the file itself, or what is packed into it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from tempfile import TemporaryFile
from typing import BinaryIO

from maxaillm.dev.finetune.data.readers import zip_archives
from maxaillm.dev.finetune.data.readers.packing import PACKINGS, ZIP_MAGIC, Packing, Unpacked
from maxaillm.dev.finetune.data.readers.records import Note
from maxaillm.dev.finetune.data.rows.splits import Split

HEAD_BYTES = 2**16
BUFFER_BYTES = 2**18


@dataclass
class Source:
    """Opens the data as often as it is read.

    What is packed is unpacked anew each time rather than into a file on the disk: nothing is
    left behind where a check is killed, and no disk is filled.
    """

    path: Path
    name: str
    """What its owner calls the data, or the archive that it is packed in."""
    packing: Packing | None = None
    notes: tuple[Note, ...] = ()
    split: Split | None = None
    """Of one of several files in an archive: what its name says."""
    size_bytes: int | None = None
    """Unpacked, where it is known before."""
    most_bytes: int | None = None
    """So much of its beginning is read; all of it where None."""
    file: BinaryIO | None = field(default=None, init=False, repr=False)
    """As last opened, before unpacking."""
    stream: Unpacked | None = field(default=None, init=False, repr=False)
    """What came out of it."""

    @property
    def suffix(self) -> str:
        return PurePath(self.name).suffix.lower()

    def open(self) -> io.BufferedReader:
        if self.most_bytes is None:
            return self.open_whole()
        with self.open_whole() as file:
            beginning = file.read(self.most_bytes)
            if len(beginning) == self.most_bytes:
                beginning = beginning[: beginning.rfind(b"\n") + 1] or beginning
        return io.BufferedReader(io.BytesIO(beginning))

    def open_whole(self) -> io.BufferedReader:
        self.file = file = self.path.open("rb")
        if self.packing is None:
            return file
        self.stream = Unpacked(file, self.packing, self.path.stat().st_size)
        return io.BufferedReader(self.stream, BUFFER_BYTES)

    def open_seekable(self) -> BinaryIO:
        """For formats that are read from their end; what is packed needs room on the disk."""
        if self.packing is None:
            return self.open_whole()
        unpacked: BinaryIO = TemporaryFile()  # noqa: SIM115
        with self.open_whole() as stream:
            while piece := stream.read(BUFFER_BYTES):
                unpacked.write(piece)
        unpacked.seek(0)
        return unpacked

    def head(self) -> bytes:
        """The first bytes; all of them, where they are fewer than HEAD_BYTES."""
        with self.open() as file:
            return file.read(HEAD_BYTES)

    def piece(self, start: int, size: int) -> bytes:
        """`size` bytes from `start` on, or as many as there are."""
        with self.open() as file:
            if self.packing is None or self.most_bytes is not None:
                file.seek(start)
                return file.read(size)
            while start > 0:
                start -= len(file.read(min(start, BUFFER_BYTES))) or start
            return file.read(size)

    def progress(self) -> float:
        """The share of the data that is read: as it lies on the disk, where its size is unknown."""
        if self.file is None or self.file.closed:
            return 0.0
        if self.size_bytes is not None and self.stream is not None:
            return self.stream.taken / max(1, self.size_bytes)
        return self.file.tell() / max(1, self.path.stat().st_size)


def sources_of(path: Path, name: str, most_bytes: int | None = None) -> list[Source]:
    """The file at `path` or, by its first bytes, what is packed in it. Raises DataError.

    Only an archive may give several: the files of its splits, in the order of reading.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if ZIP_MAGIC.match(head):
        members = zip_archives.data_members(path)
        found = [Source(path, *member, most_bytes) for member in members]
        return found or [Source(path, name)]
    packing = next((one for one in PACKINGS if one.magic.match(head)), None)
    if packing is not None and PurePath(name).suffix.lower() in packing.suffixes:
        name = PurePath(name).stem
    return [Source(path, name, packing, most_bytes=most_bytes)]
