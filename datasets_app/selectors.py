"""Reads: lists of datasets, pages of rows, findings grouped and one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from numpy.typing import NDArray

from datasets_app.errors import NotReadyError
from datasets_app.models import Dataset, DatasetVersion, Finding
from datasets_app.storage.findings import flagged_rows
from maxaillm.dev.finetune.data.checks import check_of
from maxaillm.dev.finetune.data.fixes import fixes
from maxaillm.dev.finetune.data.store.query import RowQuery
from maxaillm.dev.finetune.data.store.store import RowStore, StoredRow
from maxft_site.web.context import ShellPart
from maxft_site.web.search import Hit

if TYPE_CHECKING:
    from jobs.models import Run


READING_CODES = {
    "other_sheets", "rows_above", "wrong_width", "broken_text", "odd_characters",
    "lost_characters",
}  # fmt: skip
"""Findings that another encoding, delimiter, header or sheet may make go away."""


class FoundRows(NamedTuple):
    """Some rows of a version: pages are made of their places, and read from the store."""

    store: RowStore
    places: NDArray[np.int64]

    def page(self, offset: int, limit: int) -> Iterator[StoredRow]:
        return self.store.at(self.places[offset : offset + limit].tolist())


class FixCard(NamedTuple):
    """A fix that a page offers."""

    name: str
    label: str
    summary: str

    @classmethod
    def of(cls, name: str) -> FixCard:
        return cls(name, fixes[name].label, fixes[name].summary)


class CodeCount(NamedTuple):
    """Findings of one kind: how many there are and an example of them."""

    code: str
    level: str
    total: int
    message: str
    row: int | None
    fix: str
    why: str = ""
    """Why it matters, of a finding that a check made."""
    fixed_by: FixCard | None = None
    unit: str = "row"

    @property
    def is_about_reading(self) -> bool:
        """Whether saying how the file is written may be what helps."""
        return self.code in READING_CODES

    @property
    def units(self) -> str:
        """What is counted, in the plural where it is not one."""
        return self.unit if self.total == 1 else {"class": "classes"}.get(self.unit, "rows")


def newest_versions(user: User | AnonymousUser) -> QuerySet[DatasetVersion]:
    """The newest version of every dataset that `user` sees, newest first."""
    return newest_of(DatasetVersion.objects.all(), user)


def newest_of(
    versions: QuerySet[DatasetVersion], user: User | AnonymousUser
) -> QuerySet[DatasetVersion]:
    """Of every dataset that `user` sees the newest that is among `versions`."""
    newer = versions.filter(dataset=OuterRef("dataset"), number__gt=OuterRef("number"))
    visible = Dataset.objects.visible_to(user)
    newest = versions.filter(~Exists(newer), dataset__in=visible)
    return newest.select_related("dataset").order_by(F("created").desc(), "-pk")


def newest_ready_versions(user: User | AnonymousUser) -> QuerySet[DatasetVersion]:
    """Of every dataset that `user` sees the newest version that is ready, where there is one.

    `newest_number` is that of the newest version, ready or not.
    """
    ready = DatasetVersion.objects.filter(status=DatasetVersion.Status.READY)
    return newest_of(ready, user).annotate(newest_number=Max("dataset__versions__number"))


def search_versions(
    user: User | AnonymousUser, words: str, status: str
) -> QuerySet[DatasetVersion]:
    """Of these, the ones whose name or file name holds `words`, in state `status` where given."""
    versions = newest_versions(user)
    if words:
        versions = versions.filter(
            Q(dataset__name__icontains=words) | Q(file_name__icontains=words)
        )
    return versions.filter(status=status) if status in DatasetVersion.Status.values else versions


def ready_versions(user: User | AnonymousUser) -> QuerySet[DatasetVersion]:
    """What `user` may train on."""
    visible = Dataset.objects.visible_to(user)
    ready = DatasetVersion.objects.filter(status=DatasetVersion.Status.READY, dataset__in=visible)
    return ready.select_related("dataset").order_by("-created", "-pk")


def rows_page(version: DatasetVersion, offset: int, limit: int) -> Iterator[StoredRow]:
    """Rows that can be trained on, from the `offset`-th on."""
    return RowStore(require_rows(version).rows_path).page(offset, limit)


def row_numbered(version: DatasetVersion, number: int) -> StoredRow | None:
    """The row that was made of record `number`, if there is one."""
    row = next(rows_page(version, offset_of_row(version, number), 1), None)
    return row if row is not None and row.number == number else None


def require_rows(version: DatasetVersion) -> DatasetVersion:
    """The version, if it has rows; else raises NotReadyError."""
    if not version.is_ready:
        raise NotReadyError(
            f"{version.dataset.name} has no rows to show: it is {version.get_status_display()}.",
            "Wait for the check, or see what it found.",
        )
    return version


def found_rows(version: DatasetVersion, query: RowQuery, code: str = "") -> FoundRows:
    """The rows that `query` means and, where a code is given, findings of that code name."""
    store = RowStore(version.rows_path)
    places = store.find(query)
    if code:
        flagged = store.places_of(flagged_rows(version.findings_path, {code}))
        places = places[np.isin(places, flagged)]
    return FoundRows(store, places)


def offset_of_row(version: DatasetVersion, number: int) -> int:
    """Where record `number` of the file, or the one after it, stands among the rows."""
    return RowStore(version.rows_path).place_of(number)


def findings_of(version: DatasetVersion, code: str = "") -> QuerySet[Finding]:
    findings = version.findings.order_by("row", "line", "pk")
    return findings.filter(code=code) if code else findings


def code_counts(version: DatasetVersion) -> list[CodeCount]:
    """The kinds of findings of a version, problems first, then by number."""
    counts: dict[str, Any] = version.facts.get("findings", {})
    groups = []
    for code, count in counts.items():
        first = findings_of(version, code).first()
        if first is not None:
            group = CodeCount(code, first.level, count, first.message, first.row, first.fix)
            groups.append(with_check(group))
    return sorted(groups, key=lambda group: (group.level != Finding.Level.BAD, -group.total))


def with_check(group: CodeCount) -> CodeCount:
    """What the check that found it says: why it matters, and which fix there is."""
    check = check_of(group.code)
    if check is None:
        return group
    fix = check.fix_of(group.code)
    fixed_by = FixCard.of(fix) if fix is not None else None
    return group._replace(why=check.why, fixed_by=fixed_by, unit=check.unit)


def runs_on(dataset: Dataset) -> Sequence[Run]:
    """The runs that were, are or will be trained on any version of `dataset`."""
    versions = dataset.versions.all()
    return [
        run for version in versions for run in version.runs.filter(deleted=None).order_by("-pk")
    ]


def shell_part(user: User) -> ShellPart:
    """The number beside Datasets in the rail."""
    return ShellPart(counts={"datasets": Dataset.objects.visible_to(user).count()})


def find_datasets(user: User, words: str, limit: int) -> list[Hit]:
    """For the search of the top bar."""
    return [
        Hit(version.dataset.name, version.file_name, version.dataset.get_absolute_url())
        for version in search_versions(user, words, "")[:limit]
    ]
