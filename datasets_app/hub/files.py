"""Files of a repository of the Hub as one file of ours: alone as it is, several as a ZIP archive.

Their names never become paths here: they are fetched under a name of ours, one after the other.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile

from huggingface_hub import hf_hub_url
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from maxaillm.dev.finetune.data.readers.packing import PACKINGS
from maxaillm.dev.finetune.data.readers.sources import Source
from maxaillm.dev.finetune.data.readers.zip_archives import MAX_MEMBERS
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hub.repositories import HubFile, Subset, ending_of
from maxaillm.dev.finetune.processes.json_lines import ProgressEmitter

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FETCHED, PART = "fetched", "part"
COPY_BYTES = 2**20
HEAD_BYTES = 16


def wanted_files(subset: Subset, splits: Mapping[str, str]) -> list[tuple[str, HubFile]]:
    """What is to be fetched, each with the split of ours that it belongs to."""
    files = [
        (splits[split.name], file)
        for split in subset.splits
        if splits[split.name]
        for file in split.files
    ]
    if len(files) > MAX_MEMBERS:
        raise DataError(
            f"The subset {subset.name!r} has {len(files):,} files; {MAX_MEMBERS:,} may be taken.",
            "Take another subset, or join the files elsewhere and upload them.",
            code="too_many_files",
        )
    return files


class Fetching:
    """One subset on its way: where it goes, how much has come, and how much may."""

    def __init__(self, hub: str, commit: str, folder: Path, max_bytes: int) -> None:
        self.hub, self.commit, self.folder, self.max_bytes = hub, commit, folder, max_bytes
        self.fetched = 0
        self.progress = ProgressEmitter()

    def fetch(self, files: Sequence[tuple[str, HubFile]]) -> str:
        """Leave the data as one file in the folder; gives the name to show for it."""
        self.folder.mkdir(mode=0o700)
        if len(files) == 1 and files[0][0] == "train":
            (_, file), *_ = files
            self.fetch_file(file, self.folder / FETCHED)
            return file.name.rsplit("/", 1)[-1]
        part = self.folder / PART
        with ZipFile(self.folder / FETCHED, "w", ZIP_STORED) as archive:
            for number, (split, file) in enumerate(files):
                self.fetch_file(file, part)
                self.add_part(archive, part, f"{split}/{number:05}{ending_of(file.name)}")
        part.unlink()
        return f"{self.hub.rsplit('/', 1)[-1]}.zip"

    def fetch_file(self, file: HubFile, path: Path) -> None:
        """The library goes on where a connection was lost, some times, before it raises."""
        url = hf_hub_url(self.hub, file.name, repo_type="dataset", revision=self.commit)
        before = self.fetched
        with Download(
            path, file.size_bytes, lambda size: self.progress.emit(before + size)
        ) as target:
            http_get(url, target, headers=build_hf_headers(), expected_size=file.size_bytes)
        self.fetched += file.size_bytes

    def add_part(self, archive: ZipFile, path: Path, name: str) -> None:
        """Put a file into the archive, unpacked: one that is packed twice is not read."""
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        packing = next((one for one in PACKINGS if one.magic.match(head)), None)
        if packing and name.endswith(packing.suffixes):
            name = name.rsplit(".", 1)[0]
        with (
            Source(path, name, packing).open() as rows,
            archive.open(name, "w", force_zip64=True) as target,  # else 2 GiB are the end
        ):
            while piece := rows.read(COPY_BYTES):
                self.max_bytes -= len(piece)
                if self.max_bytes < 0:
                    raise too_much(self.hub)
                target.write(piece)


class Download(io.BufferedWriter):
    """A file that takes no more than was announced, and tells how much has come."""

    def __init__(self, path: Path, size_bytes: int, on_write: Callable[[int], object]) -> None:
        super().__init__(path.open("wb", buffering=0))
        self.size_bytes, self.on_write = size_bytes, on_write

    def write(self, piece: ReadableBuffer, /) -> int:
        written = super().write(piece)
        if self.tell() > self.size_bytes:
            raise OSError("more came than the Hub had said")
        self.on_write(self.tell())
        return written


def too_much(hub: str) -> DataError:
    return DataError(
        f"Unpacked, the files of {hub} are more than the site takes.",
        "Take another subset, leave a split out, or let the site's owner raise "
        "MAXFT_MAX_UPLOAD_BYTES.",
        code="too_large",
    )
