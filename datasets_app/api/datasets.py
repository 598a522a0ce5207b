"""The REST API of datasets."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, cast

import orjson
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Field, File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from ninja.pagination import paginate

from datasets_app.models import Dataset, DatasetVersion, Finding
from datasets_app.pages.text import is_cut, storable
from datasets_app.selectors import (
    findings_of,
    found_rows,
    newest_versions,
    require_rows,
    row_numbered,
)
from datasets_app.services import (
    change_version,
    fix_version,
    import_dataset,
    set_mapping,
    stage_file,
)
from maxaillm.dev.finetune.data.store.batch import chars_of
from maxaillm.dev.finetune.data.store.query import RowQuery
from maxaillm.dev.finetune.data.store.store import StoredRow
from maxft_site.web.api import Page
from maxft_site.web.idempotency import idempotent

router = Router(tags=["datasets"])
SHOWN_CHARS = 20_000
PAGE_BYTES = 8_000_000
USUAL, SCANT, UNCUT = (SHOWN_CHARS, sys.maxsize), (1_000, 5), (sys.maxsize, sys.maxsize)
"""How many characters of each text, and items of each list, a page of rows has."""


class DatasetOut(Schema):
    """A dataset as its newest version is."""

    id: int = Field(alias="dataset.pk")
    name: str = Field(alias="dataset.name")
    version: int = Field(alias="number")
    status: str
    format: dict[str, Any] | None
    reading: dict[str, Any] = Field(description="What was said of how the file is written.")
    read_as: dict[str, Any] = Field(
        alias="facts.read_as", default_factory=dict, description="How it was read."
    )
    sheets: list[str] = Field(
        alias="facts.sheets", default_factory=list, description="Those of a workbook, to choose."
    )
    columns: list[str]
    rows: int
    bad_rows: int
    warnings: int
    size_bytes: int
    sha256: str
    file_name: str
    file_kind: str
    encoding: str
    progress: float
    findings: dict[str, int] = Field(alias="facts.findings", default_factory=dict)
    splits: dict[str, int] = Field(alias="facts.splits", default_factory=dict)
    origin: dict[str, Any] | None = Field(description="Repository and commit, if from the Hub.")
    offer: list[dict[str, Any]] = Field(
        alias="facts.offer", default_factory=list, description="Subsets of the Hub to choose from."
    )
    error: dict[str, Any] | None
    created: datetime
    checked: datetime | None


class FindingOut(Schema):
    row: int | None
    line: int | None
    level: str
    code: str
    message: str
    snippet: str
    fix: str
    other: int | None = Field(description="The record that it is like, of findings about two.")


class RowOut(Schema):
    """A row that can be trained on; `row` is the number of its record in the file."""

    row: int
    example: dict[str, Any]
    chars: int = Field(description="How many characters the whole row has.")
    is_cut: bool = Field(description="Whether it is not whole here; ask for the row alone then.")


class RowsOut(Schema):
    items: list[RowOut]
    total: int


class VersionOut(Schema):
    number: int
    status: str
    rows: int
    bad_rows: int
    change: str
    recipe: dict[str, Any] | None
    sha256: str
    rows_sha256: str
    created: datetime


class ChangeIn(Schema):
    """Fixes in their order, with name and options, and the findings whose rows are meant."""

    fixes: list[dict[str, Any]] = Field(min_length=1, max_length=20)
    codes: list[str] = Field(default_factory=list, max_length=100)
    version: int | None = Field(None, ge=1, description="The version to change; else the newest.")


class FixesIn(Schema):
    codes: list[str] = Field(min_length=1, max_length=100)


class RowsIn(Schema):
    words: str = Field("", max_length=1000, description="Only rows in which all of them occur.")
    code: str = Field("", max_length=100, description="Only rows that findings of it name.")
    offset: int = Field(0, ge=0, le=2**62)
    limit: int = Field(50, ge=1, le=500)
    full: bool = Field(
        False, description=f"Texts in full; else they are cut after {SHOWN_CHARS:,} characters."
    )


def version_of(request: HttpRequest, dataset_id: int) -> DatasetVersion:
    return get_object_or_404(Dataset.objects.visible_to(request.user), pk=dataset_id).newest


@router.post("", response={201: DatasetOut}, summary="Upload a file; it is checked in the queue")
@idempotent
def create_dataset(
    request: HttpRequest, file: File[UploadedFile], name: Form[str] = ""
) -> Status[DatasetVersion]:
    owner = cast(User, request.user)
    path = stage_file(file.chunks(), owner=owner)
    version = import_dataset(owner=owner, name=name, file_name=file.name or "", path=path)
    return Status(201, version)


@router.get("", response=list[DatasetOut], summary="All datasets, newest first")
@paginate(Page)
def list_datasets(request: HttpRequest) -> QuerySet[DatasetVersion]:
    return newest_versions(request.user)


@router.get("/{int:dataset_id}", response=DatasetOut, summary="One dataset")
def show_dataset(request: HttpRequest, dataset_id: int) -> DatasetVersion:
    return version_of(request, dataset_id)


@router.post(
    "/{int:dataset_id}/mapping",
    response={202: DatasetOut},
    summary="Say which column is which; the file is checked again",
)
def map_columns(
    request: HttpRequest, dataset_id: int, format: Body[dict[str, Any]]
) -> Status[DatasetVersion]:
    """The body is a format with its columns, such as
    `{"name": "prompt_completion", "prompt": "question", "completion": "answer"}`.
    """
    own = get_object_or_404(Dataset.objects.owned_by(request.user), pk=dataset_id)
    reading = format.pop("reading", None)
    return Status(202, set_mapping(version=own.newest, format=format, reading=reading))


@router.get(
    "/{int:dataset_id}/versions", response=list[VersionOut], summary="All versions, newest first"
)
@paginate(Page)
def list_versions(request: HttpRequest, dataset_id: int) -> QuerySet[DatasetVersion]:
    return version_of(request, dataset_id).dataset.versions.order_by("-number")


@router.post(
    "/{int:dataset_id}/versions",
    response={202: DatasetOut},
    summary="Change the rows by fixes; makes the next version in the queue",
)
@idempotent
def change_rows(
    request: HttpRequest, dataset_id: int, change: Body[ChangeIn]
) -> Status[DatasetVersion]:
    """Such as `{"fixes": [{"name": "drop_rows"}], "codes": ["duplicate"]}`."""
    own = get_object_or_404(Dataset.objects.owned_by(request.user), pk=dataset_id)
    version = own.newest
    if change.version is not None:
        version = get_object_or_404(own.versions.all(), number=change.version)
    new = change_version(version=version, fixes=change.fixes, codes=change.codes)
    return Status(202, new)


@router.post(
    "/{int:dataset_id}/fixes",
    response={201: DatasetOut},
    summary="Mend what findings name; makes the next version in the queue",
)
@idempotent
def fix_findings(
    request: HttpRequest, dataset_id: int, asked: Body[FixesIn]
) -> Status[DatasetVersion]:
    """Such as `{"codes": ["duplicate"]}`: the fix that belongs to these findings, with its
    defaults. `POST …/versions` takes any fixes, with options."""
    own = get_object_or_404(Dataset.objects.owned_by(request.user), pk=dataset_id)
    return Status(201, fix_version(version=own.newest, codes=asked.codes))


@router.get("/{int:dataset_id}/rows", response=RowsOut, summary="Rows that can be trained on")
def list_rows(request: HttpRequest, dataset_id: int, page: Query[RowsIn]) -> dict[str, Any]:
    """Each row of the page is there. Where they would be more than 8 MB of JSON together,
    some are cut to a few lines, also with `full`; `is_cut` says which rows are not whole.
    """
    version = version_of(request, dataset_id)
    found = found_rows(require_rows(version), RowQuery(words=page.words), page.code)
    rows = found.page(page.offset, page.limit)
    return {"items": list(fitting(rows, full=page.full)), "total": len(found.places)}


def fitting(rows: Iterable[StoredRow], *, full: bool) -> Iterator[RowOut]:
    room = PAGE_BYTES
    for number, example in rows:
        limits = UNCUT if full else USUAL
        shown = example if full else storable(example, *limits)
        if (size_bytes := len(orjson.dumps(shown))) > room:
            limits = SCANT
            shown = storable(example, *limits)
            size_bytes = len(orjson.dumps(shown))
        room -= size_bytes
        yield RowOut(
            row=number, example=shown, chars=chars_of(example), is_cut=is_cut(example, *limits)
        )


@router.get("/{int:dataset_id}/rows/{int:row}", response=RowOut, summary="One row, whole")
def show_row(request: HttpRequest, dataset_id: int, row: int) -> RowOut:
    found = row_numbered(version_of(request, dataset_id), row)
    if found is None:
        raise Http404
    return RowOut(row=row, example=found.example, chars=chars_of(found.example), is_cut=False)


@router.get("/{int:dataset_id}/findings", response=list[FindingOut], summary="What was found")
@paginate(Page)
def list_findings(request: HttpRequest, dataset_id: int) -> QuerySet[Finding]:
    """Problems, which keep a row out of training, and warnings, in the order of the rows."""
    return findings_of(version_of(request, dataset_id))
