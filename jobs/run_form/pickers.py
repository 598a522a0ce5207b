"""Pickers of a new run: the datasets and the models on offer, with what helps to choose."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from django.contrib.auth.models import User

from datasets_app.models import DatasetVersion
from datasets_app.selectors import ready_versions
from jobs.models import LanguageModel
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.estimate import local_folder
from maxaillm.dev.finetune.estimate.about import About, about
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.model_files.folder import is_path
from maxft_site.web.formatting import count, size

GROUPS = {
    "starter": "Come with MaxFT",
    "base": "Folders and models of the Hub",
    "tuned": "Your tuned models",
}


class Pick(NamedTuple):
    """A row of a picker: what it is called, two lines about it, how it stands."""

    value: str
    label: str
    sub: str
    facts: str
    note: str
    state: str = ""
    """Of the note: ok, warn, or empty for a plain one."""


class Group(NamedTuple):
    label: str
    picks: list[Pick]


def versions_on_offer(user: User) -> list[DatasetVersion]:
    """The newest ready version of each dataset; the user's own before the samples."""
    newest: dict[int, DatasetVersion] = {}
    for version in ready_versions(user):
        held = newest.get(version.dataset_id)
        if held is None or held.number < version.number:
            newest[version.dataset_id] = version
    return sorted(newest.values(), key=lambda version: version.dataset.owner_id is None)


def dataset_pick(version: DatasetVersion) -> Pick:
    """A dataset by its newest version: rows, format, what is held out, what was found."""
    format_name = (version.format or {}).get("name", "")
    kind = formats[format_name].label if format_name in formats else ""
    splits: dict[str, int] = version.facts.get("splits", {})
    held = [f"{count(splits[name])} to {word}" for name, word in HELD_OUT if splits.get(name)]
    found = [
        f"{count(number)} {word}"
        for number, word in (
            (version.bad_rows, "left out"),
            (version.warnings, "warning" if version.warnings == 1 else "warnings"),
        )
        if number
    ]
    return Pick(
        value=str(version.dataset_id),
        label=str(version),
        sub=", ".join(filter(None, [f"{count(version.rows)} rows", kind])),
        facts=", ".join(held) or "no rows held out: a share is drawn",
        note=", ".join(found) or "no findings",
        state="warn" if found else "ok",
    )


HELD_OUT = (("validation", "validate"), ("test", "test"))


def models_on_offer(user: User) -> list[LanguageModel]:
    """Base models first, starters foremost, then tuned ones, newest first."""
    visible = LanguageModel.objects.visible_to(user).select_related("base", "run__dataset__dataset")
    base = sorted(visible.filter(kind="base"), key=lambda model: (group_of(model), model.name))
    return [*base, *visible.exclude(kind="base").order_by("-pk")]


def group_of(model: LanguageModel) -> str:
    if model.kind != LanguageModel.Kind.BASE:
        return "tuned"
    return "starter" if model.name.startswith("starter/") else "base"


def model_groups(models: list[LanguageModel]) -> list[Group]:
    """Models as `models_on_offer` orders them, in groups."""
    places = list(GROUPS)
    ordered = sorted(models, key=lambda model: places.index(group_of(model)))
    return [
        Group(GROUPS[name], [model_pick(model) for model in group])
        for name, group in groupby(ordered, key=group_of)
    ]


def model_pick(model: LanguageModel) -> Pick:
    """A model: its family or what it was made of, its size, context and licence."""
    folder = folder_of(model)
    found = about(folder) if folder else None
    sub = tuned_words(model) if model.run else base_words(model, found)
    known = [f"{found.context:,} tokens" if found.context else "", found.license] if found else []
    return Pick(
        value=model.name,
        label=model.short_name,
        sub=sub,
        facts=size_words(found, model),
        note=", ".join(filter(None, known)) or ("" if found else "not on this machine yet"),
    )


def folder_of(model: LanguageModel) -> Path | None:
    """Where the weights of a model lie, of an adapter those of its base; None: not here yet."""
    try:
        return local_folder(model.root.source)
    except ModelError:
        return None


def tuned_words(model: LanguageModel) -> str:
    config: dict[str, Any] = model.run.config if model.run else {}
    name = str(config.get("tuning", {}).get("name", ""))
    method = methods[name].label if name in methods else name
    data = model.run.dataset if model.run else None
    base = f"{method} on {model.base.short_name}" if model.base else method
    return f"{base}, {data}" if data else base


def base_words(model: LanguageModel, found: About | None) -> str:
    parent = Path(model.name).parent.name if is_path(model.name) else ""
    place = f"folder in {parent}" if parent else ""
    return ", ".join(filter(None, [found.family if found else "", place]))


def size_words(found: About | None, model: LanguageModel) -> str:
    """22.7 M parameters, 90.9 MB."""
    bytes_here = model.size_bytes or (found.size_bytes if found else 0)
    words = [f"{short_count(found.parameters)} parameters"] if found else []
    return ", ".join([*words, size(bytes_here)] if bytes_here else words)


def short_count(number: int) -> str:
    """3408384 → 3.4 M."""
    for unit, word in ((10**9, " B"), (10**6, " M"), (10**3, " k")):
        if number >= unit:
            return f"{number / unit:.3g}{word}"
    return str(number)
