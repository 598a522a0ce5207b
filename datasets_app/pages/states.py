"""What the states of a dataset are called, and how its badge looks."""

from __future__ import annotations

from typing import NamedTuple

from datasets_app.models import DatasetVersion

Status = DatasetVersion.Status


class Badge(NamedTuple):
    """The state that gives a badge its colour and icon, and its word."""

    state: str
    word: str


BADGES = {
    Status.UPLOADING: Badge("active", "Uploading"),
    Status.CHECKING: Badge("active", "Checking"),
    Status.NEEDS_MAPPING: Badge("warn", "Needs its columns"),
    Status.READY: Badge("ok", "Ready"),
    Status.INVALID: Badge("bad", "Not usable"),
}


def badge_of(version: DatasetVersion) -> Badge:
    if version.awaits_file and version.status == Status.NEEDS_MAPPING:
        return Badge("warn", "Needs a choice")
    return BADGES[Status(version.status)]
