"""What can go wrong with uploads and datasets, each a sentence and the next step."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from maxaillm.dev.finetune.errors import FineTuneError


class UploadError(FineTuneError):
    """An upload that can't go on as the client wants; `status` is HTTP's word for it."""

    code = "upload"
    status = 400


class UploadTooLargeError(UploadError):
    code = "too_large"
    status = 413


class UploadOffsetError(UploadError):
    """The client and the site disagree on how much has arrived."""

    code = "wrong_offset"
    status = 409


class UploadBusyError(UploadError):
    """Another request writes to the same upload just now."""

    code = "busy"
    status = 423


class UploadDamagedError(UploadError):
    """What arrived is not what was sent; 460 is tus's word for it."""

    code = "damaged"
    status = 460


class QuotaError(UploadError):
    code = "quota"
    status = 413


class NoSpaceError(UploadError):
    code = "disk_full"
    status = 507


class DatasetInUseError(FineTuneError):
    code = "in_use"
    status = 409


class NotReadyError(FineTuneError):
    code = "not_ready"
    status = 409


@contextmanager
def file_errors_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise NoSpaceError(
            "The site's disk is full. Nothing of the file was kept.",
            "Free space on the disk, then upload the file again.",
        ) from error
