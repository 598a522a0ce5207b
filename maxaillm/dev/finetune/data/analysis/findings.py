"""Findings: what checking a dataset found, one a row, and the report of the whole."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

SNIPPET_CHARS = 200
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, also those that turn the direction of writing, and broken ones."""


class Finding(BaseModel):
    """Why a row can't be trained on ("bad"), or what deserves a look ("warning")."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    row: int | None
    """The number of the record, from 1, a header not counted; None: the whole file."""
    line: int | None
    code: str
    message: str
    snippet: str = ""
    fix: str = ""
    level: Literal["bad", "warning"] = "bad"
    other: int | None = None
    """The record that this one is like, where the finding is about two of them."""


class ReportError(BaseModel):
    """Why a dataset is not ready, and the next step."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str
    message: str
    hint: str = ""


class Report(BaseModel):
    """The outcome of a check. All of it can be stored as JSON in UTF-8."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    status: Literal["ready", "needs_mapping", "invalid"]
    error: ReportError | None = None
    format: dict[str, Any] | None = None
    """The format with its columns; of a dataset that needs mapping the one suggested, if any."""
    candidates: list[dict[str, Any]] = []
    """The formats that fit equally well, where the owner has to choose."""
    rows: int = 0
    """Rows that can be trained on; `bad_rows` are the others: together every record."""
    bad_rows: int = 0
    codes: dict[str, int] = {}
    """How many findings there are of each code."""
    columns: list[str] = []
    sample: list[dict[str, str]] = []
    """The first rows, every cell as a short text."""
    labels: dict[str, int] = {}
    """Classes and how many rows each has; only of labelled data."""
    splits: dict[str, int] = {}
    """Rows that can be trained on, by the part of the dataset that the file puts them in."""
    statistics: dict[str, Any] = {}
    """What these rows look like in numbers: see `row_statistics.RowStatistics`."""
    kind: str = ""
    encoding: str = ""
    delimiter: str | None = None
    options: dict[str, Any] = {}
    """How it was read: `readers.options.ReadOptions`, said by its owner or found out."""
    sheets: list[str] = []
    """Of a workbook: the sheets that may be chosen."""


def shown(value: object, length: int = SNIPPET_CHARS) -> str:
    """`value` as a short text in which nothing is hidden: control characters are escaped."""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    if len(value) > length:
        value = value[: length - 1] + "…"
    return HIDDEN.sub(escaped, value)[:length]


def escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
