"""The form that says which subset of a repository is fetched, and what its splits become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from datasets_app.models import DatasetVersion


class SubsetOption(NamedTuple):
    """A subset in the drop-down."""

    name: str
    splits: int
    files: int
    size_bytes: int


class SplitChoice(NamedTuple):
    """A split with its drop-down; `becomes` is "" where it is left out."""

    control: str
    name: str
    files: int
    size_bytes: int
    becomes: str


class HubChoice:
    """What is offered and what of it is chosen: by a request, before, or as a guess."""

    def __init__(self, version: DatasetVersion, data: Mapping[str, str] | None = None) -> None:
        self.origin: dict[str, Any] = version.origin or {}
        self.offer: list[dict[str, Any]] = version.facts.get("offer", [])
        self.data = data or {}

    @classmethod
    def of(cls, version: DatasetVersion, data: Mapping[str, str] | None = None) -> HubChoice | None:
        """None where there is nothing to choose: no repository, or its files are here."""
        is_open = version.awaits_file and not version.is_checking and version.facts.get("offer")
        return cls(version, data) if is_open else None

    @property
    def subset(self) -> str:
        names = [one["name"] for one in self.offer]
        usual = [one["name"] for one in self.offer if one["is_default"]]
        wished = (self.data.get("subset"), self.origin.get("subset"))
        return str(next((name for name in wished if name in names), (usual or names)[0]))

    @property
    def is_complete(self) -> bool:
        """Whether the request chose for the splits of this very subset, not only the subset."""
        return self.data.get("of") == self.subset and "show" not in self.data

    @property
    def subsets(self) -> list[SubsetOption]:
        return [
            SubsetOption(
                one["name"],
                len(one["splits"]),
                sum(split["files"] for split in one["splits"]),
                sum(split["size_bytes"] for split in one["splits"]),
            )
            for one in self.offer
        ]

    @property
    def splits(self) -> list[SplitChoice]:
        chosen = self.origin["splits"] if self.origin.get("subset") == self.subset else {}
        (shown,) = [one for one in self.offer if one["name"] == self.subset]
        found = []
        for number, split in enumerate(shown["splits"]):
            control = f"split-{number}"
            becomes = chosen.get(split["name"], split["becomes"])
            if self.is_complete:
                becomes = self.data.get(control, "")
            found.append(
                SplitChoice(control, split["name"], split["files"], split["size_bytes"], becomes)
            )
        return found
