"""New versions made of earlier ones: changed by fixes, or an earlier one brought back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction

from datasets_app.errors import NotReadyError
from datasets_app.models import Dataset, DatasetVersion, Finding
from datasets_app.pages.text import display_name
from datasets_app.services.checks import queue_check
from datasets_app.services.imports import NAME_CHARS, next_number
from datasets_app.services.quota import require_quota
from datasets_app.services.uploads import require_space
from maxaillm.dev.finetune.data.checks import are_about_rows, checks
from maxaillm.dev.finetune.data.recipes.recipe import recipe_of
from maxaillm.dev.finetune.data.rows.splits import Split
from maxaillm.dev.finetune.errors import ConfigError, Problem

CHANGE_CHARS = 300
CONTENT = (
    "status", "origin", "file_name", "size_bytes", "sha256", "rows_sha256", "findings_sha256",
    "encoding", "file_kind", "format", "reading", "columns", "sample", "rows", "bad_rows",
    "warnings", "facts", "checked",
)  # fmt: skip
"""The columns that say what a version holds."""


def change_version(
    *, version: DatasetVersion, fixes: Sequence[Mapping[str, Any]], codes: Sequence[str] = ()
) -> DatasetVersion:
    """Make the next version of `version` and these fixes, in the queue.

    `codes`: the findings whose rows are meant; no other row is touched then.
    Raises ConfigError for options that make no sense.
    """
    require_ready(version)
    require_newest_of_locked(version)
    require_room(version.dataset.owner, rows_bytes(version))
    made = recipe_of(fixes)
    recipe = {
        "fixes": [fix.model_dump(mode="json") for fix in made],
        "codes": list(codes),
        "only_flagged": are_about_rows(codes),
        "locked": version.dataset.locked_splits,
    }
    words = ", ".join(fix.label for fix in made)
    return add_child(version, recipe, f"{words[: CHANGE_CHARS - 2]} …")


def fix_version(*, version: DatasetVersion, codes: Sequence[str]) -> DatasetVersion:
    """Make the next version by the fix that the checks of these findings name.

    Raises ConfigError where a finding has none, or they have different ones: each fix is to touch
    the rows of its own findings.
    """
    named = {code: checks[code].fix if code in checks else None for code in codes}
    lacking = [code for code, fix in named.items() if fix is None]
    if lacking:
        allowed = ", ".join(code for code, check in checks.items() if check.fix)
        raise ConfigError([Problem("codes", "No fix belongs to it.", lacking[0], allowed)])
    if len(set(named.values())) > 1:
        message = "These findings have different fixes: ask for one after the other."
        pairs = ", ".join(f"{code}: {fix}" for code, fix in named.items())
        raise ConfigError([Problem("codes", message, pairs, "findings with the same fix")])
    return change_version(version=version, fixes=[{"name": named[codes[0]]}], codes=codes)


def add_child(version: DatasetVersion, recipe: dict[str, Any], change: str) -> DatasetVersion:
    new = DatasetVersion(
        dataset=version.dataset,
        folder=uuid4(),
        file_name=version.file_name,
        format=version.format,
        recipe=recipe,
        change=change,
    )
    with transaction.atomic():
        new.number = next_number(version.dataset)
        new.save(force_insert=True)
        new.parents.add(version)
        queue_check(new)
    return new


def join_datasets(
    *,
    owner: User,
    name: str,
    times: Mapping[DatasetVersion, float],
    splits: Mapping[DatasetVersion, Split],
    shuffle: bool,
    seed: int = 0,
) -> DatasetVersion:
    """Make a new dataset of the rows of several versions, each taken so many times.

    Rows of those in `splits` go there; all others keep the split they are in.
    """
    for version in times:
        require_ready(version)
    size_bytes = sum(int(each * rows_bytes(version)) for version, each in times.items())
    require_room(owner, size_bytes, copies=2 if shuffle else 1)
    locked = {split for version in times for split in version.dataset.locked_splits}
    recipe = {
        "locked": sorted(locked),
        "times": {str(version.pk): each for version, each in times.items()},
        "splits": {str(version.pk): split for version, split in splits.items()},
        "shuffle": shuffle,
        "seed": seed,
    }
    first = next(iter(times))
    with transaction.atomic():
        dataset = Dataset.objects.create(owner=owner, name=display_name(name, NAME_CHARS))
        new = DatasetVersion.objects.create(
            dataset=dataset,
            file_name=dataset.name,
            format=first.format,
            recipe=recipe,
            change="Joining …",
        )
        new.parents.set(times)
        queue_check(new)
    return new


def bring_back(*, version: DatasetVersion) -> DatasetVersion:
    """Make what `version` holds the newest version again; nothing is lost, nothing copied."""
    require_ready(version)
    require_unlocked(version.dataset)
    require_quota(version.dataset.owner, 0)
    new = DatasetVersion(
        dataset=version.dataset,
        change=f"Back to v{version.number}",
        progress=1,
        **{name: getattr(version, name) for name in CONTENT},
    )
    with transaction.atomic():
        new.number = next_number(version.dataset)
        new.save(force_insert=True)
        new.parents.add(version)
        kept = list(version.findings.all())
        for finding in kept:
            finding.pk, finding.version = None, new
        Finding.objects.bulk_create(kept, batch_size=500)
    return new


def require_room(owner: User | None, size_bytes: int, *, copies: int = 1) -> None:
    """For rows of about this size, of which so many copies are needed while they are made."""
    require_quota(owner, size_bytes)
    require_space(copies * size_bytes)


def rows_bytes(version: DatasetVersion) -> int:
    return version.rows_path.stat().st_size


def require_unlocked(dataset: Dataset) -> None:
    """An earlier version, or the file read anew, may have other test rows than the locked ones."""
    if dataset.is_test_locked:
        raise NotReadyError(
            f"The test rows of {dataset.name} are locked, and would be others.",
            "Unlock them in the tab Splits first.",
        )


def require_newest_of_locked(version: DatasetVersion) -> None:
    if version != version.dataset.newest_ready:
        require_unlocked(version.dataset)


def require_ready(version: DatasetVersion) -> None:
    if not version.is_ready:
        raise NotReadyError(
            f"{version} can't be changed: it is {version.get_status_display().lower()}.",
            "Wait for the check, or choose another version.",
        )


def lock_test(*, dataset: Dataset, is_locked: bool) -> None:
    """Whether the test rows are to stay what they are, whatever is made of the others."""
    Dataset.objects.filter(pk=dataset.pk).update(is_test_locked=is_locked)
