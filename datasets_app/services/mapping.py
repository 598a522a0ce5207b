"""Which column plays which part: stored as a format with its fields filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.db import transaction
from pydantic import ValidationError

from datasets_app.checking.look import look_at
from datasets_app.errors import NotReadyError
from datasets_app.models import DatasetVersion
from datasets_app.services.checks import check_again, queue_check
from datasets_app.services.imports import next_number
from datasets_app.services.versions import require_unlocked
from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.data.formats import DataFormat, formats
from maxaillm.dev.finetune.data.readers import ReadOptions
from maxaillm.dev.finetune.data.rows.column_templates import columns_in, mistake_in
from maxaillm.dev.finetune.errors import ConfigError, DataError, Problem, UnknownComponentError

Status = DatasetVersion.Status


def set_mapping(
    *,
    version: DatasetVersion,
    format: Mapping[str, Any],
    reading: Mapping[str, Any] | None = None,
) -> DatasetVersion:
    """Read the file as `format` from now on; it is checked again. `reading` says how it is
    written, where that is to be other than before.

    A ready version never changes, because runs may have been trained on it: it gets a successor
    with the same file. Raises ConfigError for columns that the file does not have.
    """
    told = version.reading if reading is None else parse_reading(reading)
    columns = version.columns if told == version.reading else columns_read(version, told)
    changes = {"format": parse_format(format, columns).model_dump(), "reading": told}
    if version.status == Status.READY:
        require_unlocked(version.dataset)
        return add_version(version, changes)
    if version.status == Status.CHECKING or not check_again(version, **changes):
        raise NotReadyError(
            f"{version.dataset.name} is being checked just now.", "Wait for the end of the check."
        )
    return version


def parse_reading(raw: object) -> dict[str, Any]:
    """What is said of how a file is written, or all mistakes in it at once."""
    try:
        return ReadOptions.model_validate(raw).given
    except ValidationError as error:
        problems = problems_of(ReadOptions, error)
        named = [each._replace(path=f"reading.{each.path}".rstrip(".")) for each in problems]
        raise ConfigError(named) from error


def columns_read(version: DatasetVersion, reading: dict[str, Any]) -> list[str]:
    """The columns of the file, written as `reading` says. Raises DataError where it isn't."""
    found = look_at(version.source_path, version.file_name, reading)
    if found.error is not None:
        raise DataError(found.error["message"], found.error["hint"], code=found.error["code"])
    return found.columns


def parse_format(raw: Mapping[str, Any], columns: list[str]) -> DataFormat:
    """The format that `raw` describes, with columns that exist, or all mistakes at once.

    Where a text is read, a template over columns may stand for a column: `{title}: {body}`.
    """
    name = str(raw.get("name", ""))
    try:
        schema = formats[name]
    except UnknownComponentError as error:
        raise ConfigError([Problem("name", error.message, name, ", ".join(formats))]) from error
    try:
        chosen = schema.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(problems_of(schema, error)) from error
    given = chosen.model_dump(exclude={"name", *schema.no_columns()})
    found = [
        column_problem(schema, field, column, columns, is_given=field in raw)
        for field, value in given.items()
        for column in (value or ("",) if isinstance(value, tuple) else (value,))
        if column is not None and column not in columns
    ]
    if wrong := [problem for problem in found if problem is not None]:
        raise ConfigError(wrong)
    return chosen


def column_problem(
    schema: type[DataFormat], field: str, column: str, columns: list[str], *, is_given: bool
) -> Problem | None:
    """What is wrong with a name that no column has; nothing is with a template over columns."""
    allowed = ", ".join(columns)
    if field in schema.text_fields() and (columns_in(column) or mistake_in(column)):
        missing = [
            f"There is no column named {name!r}."
            for name in columns_in(column)
            if name not in columns
        ]
        messages = [mistake for mistake in (mistake_in(column), *missing) if mistake]
        return Problem(field, messages[0], column, allowed) if messages else None
    if is_given and column:
        return Problem(field, f"There is no column named {column!r}.", column, allowed)
    title = (schema.model_fields[field].title or field).lower()
    return Problem(field, f"Choose the column with the {title}.", None, allowed)


def add_version(version: DatasetVersion, changes: dict[str, Any]) -> DatasetVersion:
    """A successor with the same file, read in another way."""
    is_reading = changes["reading"] != version.reading
    new = DatasetVersion(
        dataset=version.dataset,
        folder=uuid4(),
        origin=version.origin,
        file_name=version.file_name,
        size_bytes=version.size_bytes,
        sha256=version.sha256,
        **changes,
        change=f"Read {'another way' if is_reading else 'with other columns'}",
    )
    with transaction.atomic():
        new.number = next_number(version.dataset)
        new.save(force_insert=True)
        new.parents.add(version)
        queue_check(new)
    return new
