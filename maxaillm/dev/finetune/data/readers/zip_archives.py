"""ZIP archives: the data file in them, or those of each split. Office documents are such, too."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple
from zipfile import ZipFile, ZipInfo

from maxaillm.dev.finetune.data.readers.packing import (
    FAULTS,
    ZIP_MAGIC,
    Packing,
    limit_of,
    too_large,
)
from maxaillm.dev.finetune.data.readers.records import Note
from maxaillm.dev.finetune.data.rows.splits import EVERY_SPLIT, Split, split_of_path
from maxaillm.dev.finetune.errors import DataError

ENCRYPTED = 1
"""The bit of a member's flags that says so."""
PAPERS = {"readme", "license", "licence", "copying", "notice", "changelog", "citation", "authors"}
"""Files that lie beside the data; they are named in a note."""
LIBRARY_FILES = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
"""What the library `datasets` writes beside the data."""
LITTER = {"thumbs.db", "desktop.ini"}
SYSTEM_NAMES = {"__MACOSX", ".DS_Store"}
SHOWN_NAMES = 5
MAX_MEMBERS = 1_000
HEADER_BYTES = 30
NUMBER = re.compile(r"\d+")
DOCUMENTS = {
    "xl/workbook.bin": "a binary Excel workbook",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "META-INF/MANIFEST.MF": "a Java archive",
}


class Member(NamedTuple):
    """A data file of an archive."""

    name: str
    packing: Packing
    notes: tuple[Note, ...] = ()
    split: Split | None = None
    """What its name says, where it is one of several."""
    size_bytes: int = 0
    """Unpacked, as the archive says."""


def data_members(path: Path) -> list[Member]:
    """The data files of a ZIP archive, ordered by split and number; none of a workbook.

    Raises DataError where they are several that don't each say their split.
    """
    try:
        archive = ZipFile(path)  # closed with the last of its members
    except FAULTS as error:
        raise DataError(
            f"The file looks like a ZIP archive but can't be opened: {error}.",
            "It may be cut off: get it once more.",
            code="broken_archive",
        ) from error
    names = set(archive.namelist())
    if is_workbook(names):
        return []
    refuse_document(names)
    members = [member for member in archive.infolist() if is_shown(member)]
    data = members if len(members) < 2 else [one for one in members if not is_paper(one)]
    splits = [split_of_path(one.filename) if len(data) > 1 else None for one in data]
    refuse_unclear(data, splits)
    refuse_twice(data)
    refuse_encrypted(data)
    refuse_bomb(data, path.stat().st_size)
    notes = left_aside(data, [one for one in members if one not in data])
    return in_order(archive, data, splits, notes)


def is_workbook(names: set[str]) -> bool:
    return "xl/workbook.xml" in names or {"mimetype", "content.xml"} <= names


def refuse_document(names: set[str]) -> None:
    kind = next((words for name, words in DOCUMENTS.items() if name in names), None)
    if kind is not None:
        raise DataError(
            f"The file is {kind}.",
            "Save the data as CSV, XLSX or JSON Lines.",
            code="unsupported_file",
        )


def is_shown(member: ZipInfo) -> bool:
    """Whether a person put it there: no folder, nothing that a system leaves behind."""
    parts = PurePosixPath(member.filename).parts
    is_litter = any(part.startswith("._") or part in SYSTEM_NAMES for part in parts)
    return not (not parts or is_litter or member.is_dir() or parts[-1].lower() in LITTER)


def is_paper(member: ZipInfo) -> bool:
    """Whether it lies beside the data: also what is hidden, such as `.git/` has it."""
    path = PurePosixPath(member.filename)
    is_hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return is_hidden or path.stem.lower() in PAPERS or path.name in LIBRARY_FILES


def refuse_unclear(data: list[ZipInfo], splits: list[Split | None]) -> None:
    """Raise DataError unless it is one file, or several of which each says its split."""
    if len(data) == 1 or (data and None not in splits and len(data) <= MAX_MEMBERS):
        return
    held = f"{len(data):,} files: {listed(names_of(data))}" if data else "no data file"
    rule = "It must be exactly one."
    hint = "Unpack it and choose the data file."
    if len(data) > MAX_MEMBERS:
        rule = f"Up to {MAX_MEMBERS:,} are read as one dataset."
        hint = "Join them into fewer files."
    elif data:
        unclear = [name for name, split in zip(names_of(data), splits, strict=True) if not split]
        verb = "doesn't" if len(unclear) == 1 else "don't"
        others = f": {listed(unclear)} {verb}" if len(unclear) < len(data) else ""
        rule = (
            "Several are read as one dataset where each name says one of train, validation and "
            f"test{others}."
        )
        hint = "Name them like train.csv and test.csv, or unpack the archive and choose one."
    raise DataError(f"The ZIP archive holds {held}. {rule}", hint, code="not_one_file")


def refuse_twice(data: list[ZipInfo]) -> None:
    """An archive that was added to may hold a file's older state beside the new one."""
    name, count = Counter(names_of(data)).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"The ZIP archive holds {name!r} {count:,} times.",
            "Unpack it and pack it anew.",
            code="not_one_file",
        )


def refuse_encrypted(data: list[ZipInfo]) -> None:
    member = next((one for one in data if one.flag_bits & ENCRYPTED), None)
    if member is not None:
        raise DataError(
            f"{member.filename!r} in the ZIP archive is encrypted.",
            "Unpack it with its password and choose the data file.",
            code="encrypted",
        )


def refuse_bomb(data: list[ZipInfo], size_bytes: int) -> None:
    """Together they may hold no more than one file could, and no bytes may serve two of them.

    What comes out of a file is never more than it declares: `zipfile` stops there.
    """
    if len(data) == 1:
        return  # as it is unpacked, its bytes are counted
    if sum(member.file_size for member in data) > limit_of(size_bytes):
        raise too_large(limit_of(size_bytes))
    ends = 0
    for start, end, member in sorted((*span_of(one), one.filename) for one in data):
        if start < ends:
            raise DataError(
                f"{member!r} in the ZIP archive lies over another file.",
                "The archive is damaged: get it once more.",
                code="broken_archive",
            )
        ends = end


def span_of(member: ZipInfo) -> tuple[int, int]:
    """From the header of its own, the name of which is left out, to the last byte."""
    return member.header_offset, member.header_offset + HEADER_BYTES + member.compress_size


def left_aside(data: list[ZipInfo], papers: list[ZipInfo]) -> tuple[Note, ...]:
    what = f"{data[0].filename!r} is read" if len(data) == 1 else f"{len(data):,} files are read"
    message = f"Of the archive, {what}; left aside: {listed(names_of(papers))}."
    return (Note("left_aside", message),) if papers else ()


def in_order(
    archive: ZipFile, data: list[ZipInfo], splits: list[Split | None], notes: tuple[Note, ...]
) -> list[Member]:
    """By split, within it by the numbers in the names; the notes go with the first file."""
    ordered = sorted(
        zip(data, splits, strict=True),
        key=lambda each: (EVERY_SPLIT.index(each[1]), padded(each[0].filename)),
    )
    return [
        Member(
            PurePosixPath(member.filename).name if len(data) == 1 else member.filename,
            packing_of(archive, member),
            () if at else notes,
            split,
            member.file_size,
        )
        for at, (member, split) in enumerate(ordered)
    ]


def padded(name: str) -> str:
    """Sorts `train-10` behind `train-9`."""
    return NUMBER.sub(lambda number: number[0].zfill(20), name)


def packing_of(archive: ZipFile, member: ZipInfo) -> Packing:
    """`archive` is shared: to parse it at each opening takes a minute where it holds a thousand."""

    def open_member(_file: BinaryIO) -> IO[bytes]:
        return archive.open(member)

    return Packing("ZIP", ZIP_MAGIC, (".zip",), open_member)


def names_of(members: list[ZipInfo]) -> list[str]:
    return [member.filename for member in members]


def listed(names: list[str]) -> str:
    rest = len(names) - SHOWN_NAMES
    shown = ", ".join(map(repr, names[:SHOWN_NAMES]))
    return shown + (f" and {rest:,} more" if rest > 0 else "")
