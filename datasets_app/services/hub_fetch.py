"""The file of a version fetched from the Hub: what comes is written down step by step."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from datasets_app.checking.parent import Outcome
from datasets_app.errors import UploadError, UploadTooLargeError
from datasets_app.hub.parent import fetch_from_hub
from datasets_app.models import DatasetVersion
from datasets_app.pages.text import display_name
from datasets_app.services.quota import require_quota
from datasets_app.services.uploads import require_space
from datasets_app.storage.blobs import keep_blob
from maxaillm.dev.finetune.data.rows.splits import NAMES
from maxft_site.web.formatting import size as in_units

FETCHED = "fetched"
SHOWN_NAMES = 5


def fetch_source(
    version: DatasetVersion, stage: Path, waiting: QuerySet[DatasetVersion]
) -> Outcome | None:
    """Get the file of `version` by way of the folder `stage`; an empty outcome: it is there.

    `waiting` finds the version as long as this check of it is awaited; None: it is not any more.
    """
    steps = Steps(version, waiting)
    origin = version.origin or {}
    task = {
        "hub": origin["hub"],
        "revision": origin["revision"],
        "subset": origin["subset"],
        "splits": origin["splits"],
        "folder": str(stage),
        "max_bytes": settings.MAX_UPLOAD_BYTES,
    }
    fetched = fetch_from_hub(task, steps)
    if fetched is None:
        return None
    if fetched.error is not None:
        return Outcome(error=fetched.error)
    if fetched.must_choose or fetched.file_name is None:
        return steps.question()
    try:
        return Outcome() if steps.keep(stage / FETCHED, fetched.file_name) else None
    except UploadError as error:
        return Outcome(error=error.as_json())
    finally:
        shutil.rmtree(stage, ignore_errors=True)


class Steps:
    """Writes down what the child process says of the version that it fetches for."""

    def __init__(self, version: DatasetVersion, waiting: QuerySet[DatasetVersion]) -> None:
        self.version, self.waiting = version, waiting
        self.offer: list[dict[str, Any]] = []
        self.total_bytes = 0

    def listing(self, listing: Mapping[str, Any]) -> None:
        """From now on the commit counts, wherever the branch moves."""
        self.offer = listing["offer"]
        self.note(revision=listing["commit"])

    def plan(self, plan: Mapping[str, Any]) -> None:
        """Raises UploadError where there is no room."""
        size_bytes = plan["size_bytes"]
        self.note(subset=plan["subset"], splits=plan["splits"])
        self.require_size(size_bytes)
        require_quota(self.version.dataset.owner, size_bytes)
        require_space(size_bytes)
        self.total_bytes = size_bytes
        self.note()  # from now on it counts as coming

    def progress(self, fetched_bytes: int) -> bool:
        share = fetched_bytes / max(1, self.total_bytes)
        return self.waiting.update(progress=share) > 0

    def note(self, **changes: Any) -> None:
        self.version.origin = {**(self.version.origin or {}), **changes}
        facts = {"offer": self.offer, "to_fetch": self.total_bytes}
        self.waiting.update(origin=self.version.origin, facts=facts)

    def require_size(self, size_bytes: int) -> None:
        if size_bytes > settings.MAX_UPLOAD_BYTES:
            raise UploadTooLargeError(
                f"There are {in_units(size_bytes)} to fetch; the site takes up to "
                f"{in_units(settings.MAX_UPLOAD_BYTES)}.",
                "Choose a smaller subset or leave splits out, or let the site's owner raise "
                "MAXFT_MAX_UPLOAD_BYTES.",
            )

    def keep(self, path: Path, file_name: str) -> bool:
        """Make the fetched file the version's own; whether it is still awaited.

        Raises UploadError where it became, unpacked, larger than there is room for.
        """
        size_bytes = path.stat().st_size
        self.require_size(size_bytes)
        require_quota(self.version.dataset.owner, size_bytes - self.total_bytes)
        version = self.version
        version.sha256, version.size_bytes = keep_blob(path), size_bytes
        version.file_name = display_name(file_name)
        kept = {name: getattr(version, name) for name in ("sha256", "size_bytes", "file_name")}
        return self.waiting.update(**kept, progress=0, facts={}) > 0

    def question(self) -> Outcome:
        """What a person has to say before anything is fetched."""
        origin, offer = self.version.origin or {}, self.offer
        hub = origin["hub"]
        named = [one for one in offer if one["name"] == origin["subset"] or len(offer) == 1]
        if not named:
            message = f"{hub} has {len(offer):,} subsets."
            hint = "Choose one, and what its splits become."
        else:
            names = [split["name"] for split in named[0]["splits"]]
            listed = ", ".join(names[:SHOWN_NAMES]) + " …" * (len(names) > SHOWN_NAMES)
            message = f"{hub} has splits with names of their own: {listed}."
            if NAMES.keys() >= {name.lower() for name in names}:
                message = f"None of the splits of {hub} is for training: {listed}."
            hint = "Say what each of them becomes."
        error = {"code": "hub_choice", "message": message, "hint": hint}
        return Outcome(
            report={"status": "needs_mapping", "error": error, "facts": {"offer": offer}}
        )
