"""Files on their way in: made, written piece by piece, turned into a dataset, swept away."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from filelock import lock_descriptor

from datasets_app.errors import (
    NoSpaceError,
    UploadBusyError,
    UploadDamagedError,
    UploadError,
    UploadOffsetError,
    UploadTooLargeError,
    file_errors_told,
)
from datasets_app.models import Upload
from datasets_app.pages.text import display_name
from datasets_app.services.quota import require_quota
from maxft_site.web.formatting import size as in_units

READ_BYTES = 2**20
RESERVE_BYTES = 256 * 2**20
"""Free space that uploads leave to the runs and the database."""
UNFINISHED = 50


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def start_upload(*, owner: User, file_name: str, size_bytes: int) -> Upload:
    """Make room for a file of `size_bytes`; refuses what is too large for the site or its disk."""
    require_size(size_bytes)
    if Upload.objects.filter(owner=owner).count() >= UNFINISHED:
        raise UploadTooLargeError(
            f"You have {UNFINISHED} unfinished uploads.", "Finish or discard some of them first."
        )
    require_quota(owner, size_bytes)
    require_space(size_bytes)
    upload = Upload(owner=owner, file_name=display_name(file_name), size_bytes=size_bytes)
    with file_errors_told():
        upload.path.touch(mode=0o600, exist_ok=False)
    upload.save(force_insert=True)
    return upload


def require_size(size_bytes: int) -> None:
    if size_bytes < 0:
        raise UploadError("A file can't have fewer than 0 bytes.", "Send the file's true size.")
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise UploadTooLargeError(
            f"The file has {in_units(size_bytes)}; the site takes up to "
            f"{in_units(settings.MAX_UPLOAD_BYTES)}.",
            "Split the file, or let the site's owner raise MAXFT_MAX_UPLOAD_BYTES.",
        )


def require_space(size_bytes: int) -> None:
    """Room for the file and for the rows read from it, beside what other uploads still need."""
    folder = Path(settings.UPLOADS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    promised = sum(
        max(0, upload.size_bytes - upload.received_bytes) for upload in Upload.objects.all()
    )
    free = shutil.disk_usage(folder).free - promised - RESERVE_BYTES
    if 2 * size_bytes > free:
        raise NoSpaceError(
            f"The site's disk has no room for {in_units(size_bytes)} and the rows of it.",
            "Delete datasets, runs or models that are not needed, or free space on the disk.",
        )


@contextmanager
def locked(upload: Upload) -> Iterator[BinaryIO]:
    """The upload's file, open at its end, for this request alone."""
    try:
        file = upload.path.open("r+b", buffering=0)
    except FileNotFoundError as error:
        raise UploadError("This upload is not there any more.", "Upload the file again.") from error
    with file:
        if not lock_descriptor(file.fileno(), blocking=False):
            raise UploadBusyError(
                "Another request sends a part of this file.", "Wait a moment, then go on."
            )
        file.seek(0, os.SEEK_END)
        yield file


def append_to_upload(
    *, upload: Upload, offset: int, body: Readable, sha256: bytes | None = None
) -> int:
    """Write what `body` holds at `offset`, which must be the end; gives the new end.

    With `sha256`, a piece that arrives as anything else is not kept.
    """
    digest = hashlib.sha256()
    try:
        with locked(upload) as file, file_errors_told():
            if file.tell() != offset:
                raise UploadOffsetError(
                    f"{file.tell():,} bytes have arrived, not {offset:,}.",
                    "Ask for the offset and go on from there.",
                )
            while piece := body.read(READ_BYTES):
                if file.tell() + len(piece) > upload.size_bytes:
                    file.truncate(offset)
                    raise UploadTooLargeError(
                        f"More arrived than the announced {upload.size_bytes:,} bytes.",
                        "Upload the file again.",
                    )
                write_all(file, piece)
                if sha256 is not None:
                    digest.update(piece)
            if sha256 is not None and digest.digest() != sha256:
                file.truncate(offset)
                raise UploadDamagedError(
                    "A piece of the file was damaged on its way.", "It is sent again."
                )
            return file.tell()
    except NoSpaceError:
        discard_upload(upload=upload)
        raise


def write_all(file: BinaryIO, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]


def discard_upload(*, upload: Upload) -> None:
    upload.path.unlink(missing_ok=True)
    upload.delete()


def stage_file(chunks: Iterable[bytes], *, owner: User) -> Path:
    """Put a file of `owner`, which came in one request, beside the uploads, to be imported."""
    folder = Path(settings.UPLOADS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / str(uuid4())
    require_space(0)
    received = 0
    try:
        with file_errors_told(), path.open("xb") as file:
            path.chmod(0o600)
            for chunk in chunks:
                received += len(chunk)
                require_size(received)
                file.write(chunk)
            require_quota(owner, received)
    except UploadError:
        path.unlink(missing_ok=True)
        raise
    return path
