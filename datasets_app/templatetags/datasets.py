"""Words for states and formats of data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.formats import formats

register = template.Library()

Status = DatasetVersion.Status
BADGES = {
    Status.UPLOADING: ("active", "Uploading"),
    Status.CHECKING: ("active", "Checking"),
    Status.NEEDS_MAPPING: ("warn", "Needs its columns"),
    Status.READY: ("ok", "Ready"),
    Status.INVALID: ("bad", "Not usable"),
}


@register.inclusion_tag("datasets_app/_badge.html")
def version_badge(version: DatasetVersion) -> dict[str, str]:
    state, word = BADGES[Status(version.status)]
    return {"state": state, "word": word}


@register.filter
def format_label(format: Mapping[str, Any] | None) -> str:
    """The name of a format in words, from its dump."""
    name = (format or {}).get("name", "")
    return formats[name].label if name in formats else "–"


@register.filter
def code_words(code: str) -> str:
    """empty_answer → Empty answer."""
    return code.replace("_", " ").capitalize()
