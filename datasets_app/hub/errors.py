"""What goes wrong between this machine and the Hub, as sentences."""

from __future__ import annotations

import errno
from json import JSONDecodeError
from typing import Any

from httpx2 import HTTPError, HTTPStatusError
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

EXPECTED = (HTTPError, HFValidationError, JSONDecodeError, OSError, MemoryError)
LATER = "Check again in a while; it begins anew."
OFFLINE = (
    "This site does not go to the network (HF_HUB_OFFLINE).",
    "Let the site's owner allow it, or download the files elsewhere and upload them.",
)
SENTENCES: list[tuple[type[Exception], str, str, str]] = [
    (
        GatedRepoError,
        "hub_gated",
        "{hub} is gated: its authors want its terms accepted first.",
        "Let the site's owner accept them on the page of the dataset, and set HF_TOKEN.",
    ),
    (
        DisabledRepoError,
        "hub_disabled",
        "The Hub has disabled {hub}.",
        "Choose another dataset.",
    ),
    (
        RevisionNotFoundError,
        "hub_revision",
        "{hub} has no such revision.",
        "Write a branch, a tag or a commit of it, or leave the revision empty.",
    ),
    (
        RepositoryNotFoundError,
        "hub_missing",
        "There is no dataset {hub} on the Hub, or it is private.",
        "Check the name; for a private one the site's owner sets HF_TOKEN.",
    ),
    (
        RemoteEntryNotFoundError,
        "hub_failed",
        "A file of {hub} that the Hub lists is not there.",
        LATER,
    ),
    (
        HFValidationError,
        "hub_name",
        "{hub} can't be the name of a dataset on the Hub.",
        "Write owner/name, as it stands above the dataset's page.",
    ),
    (OfflineModeIsEnabled, "hub_offline", *OFFLINE),
    (
        JSONDecodeError,
        "hub_unreachable",
        "Something else than the Hub answered.",
        "Check the network and the proxy of the site, then check again.",
    ),
    (
        MemoryError,
        "too_complex",
        "The list of the files of {hub} needs more memory than may be taken.",
        "Choose another dataset, or download the files elsewhere and upload them.",
    ),
]
"""Special ones first: a gated repository is a kind of missing one."""
REFUSED = {401, 403}


def words_of(error: Exception, hub: str) -> dict[str, Any]:
    for kind, code, message, hint in SENTENCES:
        if isinstance(error, kind):
            return said(code, message.format(hub=hub), hint)
    if isinstance(error, HTTPStatusError) or getattr(error, "response", None) is not None:
        return words_of_status(error, hub)
    if isinstance(error, HTTPError):
        return said(
            "hub_unreachable",
            f"The connection to the Hub failed ({type(error).__name__}).",
            "Check the network and the proxy of the site, then check again.",
        )
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return said("disk_full", "The site's disk is full.", "Free space, then check again.")
    return said("hub_failed", f"A file of {hub} did not arrive as it should.", LATER)


def words_of_status(error: Exception, hub: str) -> dict[str, Any]:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status in REFUSED:
        return said(
            "hub_gated",
            f"The Hub does not let this site read {hub}.",
            "Let the site's owner set a valid HF_TOKEN whose owner may read it.",
        )
    return said("hub_failed", f"The Hub failed with status {status}.", LATER)


def said(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"code": code, "message": message, "hint": hint}
