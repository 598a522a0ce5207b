"""Words for states and formats of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from django import template

from datasets_app.models import DatasetVersion
from datasets_app.pages.states import badge_of
from datasets_app.pages.statistics import percent
from maxaillm.dev.finetune.data.checks import label_of
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.rows.splits import EVERY_SPLIT
from maxaillm.dev.finetune.hub.names import hub_address
from maxft_site.web.formatting import size

register = template.Library()


@register.inclusion_tag("datasets_app/_badge.html")
def version_badge(version: DatasetVersion) -> dict[str, str]:
    badge = badge_of(version)
    return {"state": badge.state, "word": badge.word}


@register.filter
def format_label(format: Mapping[str, Any] | None) -> str:
    """The name of a format in words, from its dump."""
    name = (format or {}).get("name", "")
    return formats[name].label if name in formats else "–"


class PartSize(NamedTuple):
    """A part of a dataset: its rows, and their share in per cent."""

    name: str
    rows: int
    percent: str


@register.filter
def label_sizes(version: DatasetVersion) -> list[PartSize]:
    """The classes of a version, the largest first."""
    rows: dict[str, int] = version.facts.get("labels", {})
    ordered = sorted(rows, key=lambda name: (-rows[name], name))
    return [PartSize(name, rows[name], percent(rows[name], version.rows)) for name in ordered]


@register.filter
def split_sizes(version: DatasetVersion) -> list[PartSize]:
    """The parts that a version has rows in, in the order of training."""
    rows: dict[str, int] = version.facts.get("splits", {})
    return [
        PartSize(name, rows[name], percent(rows[name], version.rows))
        for name in EVERY_SPLIT
        if name and rows.get(name)
    ]


@register.filter
def fetched_words(version: DatasetVersion) -> str:
    """How much of the files has come from the Hub."""
    total = version.facts["to_fetch"]
    return f"{size(int(version.progress * total))} of {size(total)}"


@register.filter
def hub_url(origin: Mapping[str, str]) -> str:
    """The page of a repository as it was at the commit that its files are of."""
    page = f"{hub_address()}/datasets/{quote(origin['hub'])}"
    return f"{page}/tree/{quote(origin['revision'], safe='')}" if origin["revision"] else page


@register.filter
def code_words(code: str) -> str:
    """near_duplicate → Near duplicates."""
    return label_of(code)
