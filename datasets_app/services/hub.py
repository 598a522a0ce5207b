"""Datasets of the Hub: made at once, fetched by their check; what a person chose of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from datasets_app.errors import NotReadyError
from datasets_app.models import Dataset, DatasetVersion
from datasets_app.pages.text import display_name, storable
from datasets_app.services.checks import check_again, queue_check
from datasets_app.services.imports import NAME_CHARS
from datasets_app.services.quota import require_quota
from datasets_app.services.uploads import require_space
from maxaillm.dev.finetune.data.rows.splits import EVERY_SPLIT
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hub.names import hub_source

YES = {"1", "ON", "YES", "TRUE"}
"""As the Hub's own library reads its flags."""
BECOMES = {*EVERY_SPLIT, ""} - {None}


def is_offline() -> bool:
    flag = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return flag.upper() in YES


def import_from_hub(
    *,
    owner: User,
    hub: str,
    revision: str = "",
    name: str = "",
    subset: str = "",
    splits: Mapping[str, str] | None = None,
) -> DatasetVersion:
    """Make a dataset of a repository of the Hub; its check fetches it first.

    `hub` is owner/name or a link; what `subset` and `splits` leave open may be asked for later.
    Raises DataError for what can't be a repository, and where the site stays off the network.
    """
    source = hub_source(hub, revision)
    if is_offline():
        raise DataError(
            "This site does not go to the network (HF_HUB_OFFLINE).",
            "Download the files elsewhere and upload them.",
            code="hub_offline",
        )
    if splits:
        require_splits(splits)
    require_quota(owner, 0)
    require_space(0)
    shown = source.name.rsplit("/", 1)[-1]
    origin = {
        "hub": source.name,
        "asked": source.revision,
        "revision": source.revision,
        "subset": storable(subset),
        "splits": storable(splits or {}),
    }
    with transaction.atomic():
        dataset = Dataset.objects.create(owner=owner, name=display_name(name or shown, NAME_CHARS))
        version = DatasetVersion.objects.create(dataset=dataset, file_name=shown, origin=origin)
        queue_check(version)
    return version


def choose_of_hub(*, version: DatasetVersion, subset: str, splits: Mapping[str, str]) -> None:
    """Fetch this subset, and make of its splits what `splits` says ("" leaves one out).

    The commit stays the one whose subsets were shown.
    """
    offer = {one["name"]: one for one in version.facts.get("offer", [])}
    if version.origin is None or subset not in offer:
        raise DataError(
            f"There is no subset {subset!r:.120} to choose.", "Choose one that is listed."
        )
    names = {split["name"] for split in offer[subset]["splits"]}
    if names != splits.keys():
        raise DataError(
            f"The splits of {subset} are {', '.join(sorted(names))[:300]}.",
            "Say for each of them what it becomes.",
        )
    require_splits(splits)
    origin: dict[str, Any] = {**version.origin, "subset": subset, "splits": dict(splits)}
    can_choose = version.awaits_file and not version.is_checking
    if not can_choose or not check_again(version, origin=origin):
        raise NotReadyError(
            f"{version.dataset.name} is being fetched, or was already.", "Look at its page again."
        )


def require_splits(splits: Mapping[str, str]) -> None:
    if not BECOMES.issuperset(splits.values()):
        raise DataError(
            "A split becomes train, validation or test, or it is left out.", "Choose one of them."
        )
    if "train" not in splits.values():
        raise DataError("Nothing would be left to train on.", "Choose a split that becomes train.")
