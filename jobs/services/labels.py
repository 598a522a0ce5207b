"""Name, notes and tags of a run: what its owner says of it; no training follows from them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from jobs.models import Run, RunTag
from maxaillm.dev.finetune.components.names import plain_name
from maxaillm.dev.finetune.errors import FineTuneError

MOST_TAGS = 20
LONGEST_TAG = 40
LONGEST_NAME = 200
LONGEST_NOTES = 10_000


class LabelError(FineTuneError):
    """A name, a tag or notes that a run can't have."""

    code = "label"
    status = 422


def describe_run(
    *,
    run: Run,
    name: str | None = None,
    notes: str | None = None,
    tags: Iterable[str] | None = None,
) -> None:
    """Change what is given, all of it or nothing. Raises LabelError."""
    with transaction.atomic():
        if name is not None:
            rename(run, name)
        if notes is not None:
            write_notes(run, notes)
        if tags is not None:
            wanted = {tag_name(tag) for tag in tags if plain_name(tag)}
            run.tags.exclude(name__in=wanted).delete()
            add_tags(run, wanted)


def rename(run: Run, name: str) -> None:
    """Its configuration says the new name too, so that copies are named after it."""
    plain = plain_name(name)
    if not plain or len(plain) > LONGEST_NAME:
        raise LabelError(
            f"Run {run.pk} can't be called “{plain[:40]}”.",
            f"A name has 1 to {LONGEST_NAME} characters.",
        )
    run.name, run.config = plain, run.config | {"name": plain}
    run.save(update_fields=["name", "config"])


def write_notes(run: Run, notes: str) -> None:
    written = notes.replace("\r\n", "\n").replace("\0", "").strip()
    if len(written) > LONGEST_NOTES:
        raise LabelError(
            f"The notes of run {run.pk} have {len(written):,} characters.",
            f"{LONGEST_NOTES:,} fit: shorten them.",
        )
    run.notes = written
    run.save(update_fields=["notes"])


def tag_run(*, run: Run, tag: str) -> None:
    """Add one tag; to have it already is no mistake. Raises LabelError."""
    with transaction.atomic():
        add_tags(run, {tag_name(tag)})


def tag_name(tag: str) -> str:
    name = plain_name(tag).lower()
    if not name or "," in name or '"' in name or len(name) > LONGEST_TAG:
        raise LabelError(
            f"“{name[:LONGEST_TAG]}” can't be a tag.",
            f"A tag has 1 to {LONGEST_TAG} characters, no comma and no quotation mark.",
        )
    return name


def add_tags(run: Run, names: set[str]) -> None:
    missing = names - set(run.tags.values_list("name", flat=True))
    if run.tags.count() + len(missing) > MOST_TAGS:
        raise LabelError(f"Run {run.pk} has {MOST_TAGS} tags at most.", "Take one away first.")
    RunTag.objects.bulk_create(RunTag(run=run, name=name) for name in sorted(missing))
