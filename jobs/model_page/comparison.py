"""Two models' configurations beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.models import LanguageModel
from jobs.services.registry.about import about_of
from maxft_site.web.formatting import NOTHING, count, size


class Row(NamedTuple):
    title: str
    values: list[str]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def rows_of(models: Sequence[LanguageModel]) -> list[Row]:
    """What they are, then each option that differs from its default in one of them; what differs
    between them first."""
    known = [about_of(model) for model in models]
    facts = [
        ("Kind", [model.get_kind_display() for model in models]),
        ("Base", [about.base or NOTHING for about in known]),
        ("Task", [about.task or NOTHING for about in known]),
        ("Size", [size(model.size_bytes) for model in models]),
        ("Parameters", [count(model.parameters) for model in models]),
        ("Data", [data_words(model) for model in models]),
        ("Licence", [about.license or NOTHING for about in known]),
    ]
    paths = list(dict.fromkeys(path for about in known for path in about.configuration))
    options = [
        (path, [str(about.configuration.get(path, "default")) for about in known]) for path in paths
    ]
    rows = [Row(title, values) for title, values in [*facts, *options]]
    return sorted(rows, key=lambda row: not row.differs)


def data_words(model: LanguageModel) -> str:
    return str(model.run.dataset) if model.run and model.run.dataset else NOTHING
