"""ZIP archives: the one data file in them. Office documents are such archives, too."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple
from zipfile import ZipFile, ZipInfo

from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.readers.packing import FAULTS, ZIP_MAGIC, Packing
from maxaillm.dev.finetune.readers.records import Note

ENCRYPTED = 1
"""The bit of a member's flags that says so."""
PAPERS = {"readme", "license", "licence", "copying", "notice", "changelog", "citation", "authors"}
"""Files that lie beside the data; they are named in a note."""
LITTER = {"thumbs.db", "desktop.ini"}
SHOWN_NAMES = 5
DOCUMENTS = {
    "xl/workbook.bin": "a binary Excel workbook",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "META-INF/MANIFEST.MF": "a Java archive",
}


class Member(NamedTuple):
    """The data file of an archive."""

    name: str
    packing: Packing
    notes: tuple[Note, ...] = ()


def data_member(path: Path) -> Member | None:
    """The one data file of a ZIP archive; None of a workbook. Raises DataError."""
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except FAULTS as error:
        raise DataError(
            f"The file looks like a ZIP archive but can't be opened: {error}.",
            "It may be cut off: get it once more.",
            code="broken_archive",
        ) from error
    names = {member.filename for member in members}
    if is_workbook(names):
        return None
    refuse_document(names)
    return only_one([member for member in members if is_shown(member)])


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
    """Whether people see it: no folder, and nothing that a system leaves behind."""
    parts = PurePosixPath(member.filename).parts
    is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not (member.is_dir() or is_hidden or parts[-1].lower() in LITTER)


def is_paper(member: ZipInfo) -> bool:
    return PurePosixPath(member.filename).stem.lower() in PAPERS


def only_one(members: list[ZipInfo]) -> Member:
    data = members if len(members) < 2 else [one for one in members if not is_paper(one)]
    if len(data) != 1:
        held = f"{len(data):,} files: {listed(data)}" if data else "no data file"
        raise DataError(
            f"The ZIP archive holds {held}. It must be exactly one.",
            "Unpack it and choose the data file.",
            code="not_one_file",
        )
    (member,) = data
    if member.flag_bits & ENCRYPTED:
        raise DataError(
            f"{member.filename!r} in the ZIP archive is encrypted.",
            "Unpack it with its password and choose the data file.",
            code="encrypted",
        )
    papers = [one for one in members if one is not member]
    message = f"Of the archive, {member.filename!r} is read; left aside: {listed(papers)}."
    notes = (Note("left_aside", message),) if papers else ()
    return Member(PurePosixPath(member.filename).name, packing_of(member), notes)


def packing_of(member: ZipInfo) -> Packing:
    def open_member(file: BinaryIO) -> IO[bytes]:
        archive = ZipFile(file)  # it opens no file of its own
        return archive.open(member)

    return Packing("ZIP", ZIP_MAGIC, (".zip",), open_member)


def listed(members: list[ZipInfo]) -> str:
    names = [repr(member.filename) for member in members[:SHOWN_NAMES]]
    rest = len(members) - SHOWN_NAMES
    return ", ".join(names) + (f" and {rest:,} more" if rest > 0 else "")
