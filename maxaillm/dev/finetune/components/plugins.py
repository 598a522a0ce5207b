"""Plug-ins: classes of installed packages, found by entry points and loaded when used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any

from maxaillm.dev.finetune.errors import UnknownComponentError


class Plugins:
    """Classes known by name that are too heavy to import for the name alone.

    `own` are ours, as `module:Class`; others announce themselves in the entry-point group.
    """

    def __init__(self, kind: str, group: str, own: Mapping[str, str]) -> None:
        self.kind, self.group, self.own = kind, group, dict(own)

    @property
    def names(self) -> tuple[str, ...]:
        """Ours first, then those of other packages by name."""
        others = {entry.name for entry in entry_points(group=self.group)} - self.own.keys()
        return (*self.own, *sorted(others))

    def load(self, name: str) -> Any:
        """The class `name`; raises UnknownComponentError."""
        if name in self.own:
            return resolve_name(self.own[name])
        for entry in entry_points(group=self.group, name=name):
            return entry.load()
        raise UnknownComponentError(self.kind, name, known=self.names)


fine_tuners = Plugins(
    "provider",
    group="maxaillm.providers",
    own={
        "hugging_face": "maxaillm.dev.finetune.providers.hugging_face:MaxHuggingFaceFineTuning",
    },
)
"""What carries out the runs of each provider."""
processors = Plugins("data processor", group="maxaillm.processors", own={})
