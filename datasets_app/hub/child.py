"""Fetches a dataset of the Hub in a process of its own: `python -m datasets_app.hub.child`.

It loads no Django; of our secrets it is given the token for the Hub alone. It receives one task and
emits what the repository holds, and what it will fetch, or that a person has to choose. Given leave
to go on, it fetches and names the file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.hf_api import DatasetInfo

from datasets_app.hub.errors import EXPECTED, words_of
from datasets_app.hub.files import Fetching, wanted_files
from maxaillm.dev.finetune.data.rows.splits import split_of_path
from maxaillm.dev.finetune.errors import DataError, FineTuneError
from maxaillm.dev.finetune.hub.repositories import HubFile, Subset, known_splits, subsets_of
from maxaillm.dev.finetune.processes.json_lines import emit, read_lines, receive_task

ANSWER_SECONDS = 30
COMMIT = re.compile(r"[0-9a-f]{40,64}")
MAX_OFFERED = 10_000
"""Splits of all subsets together: they are stored with the version, and shown."""


def main() -> None:
    task = receive_task()
    try:
        fetch(task)
    except FineTuneError as error:
        emit("error", error.as_json())
    except EXPECTED as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        emit("error", words_of(error, task["hub"]))


def fetch(task: Mapping[str, Any]) -> None:
    info = HfApi().dataset_info(
        task["hub"], revision=task["revision"] or None, files_metadata=True, timeout=ANSWER_SECONDS
    )
    commit = commit_of(info)
    subsets = subsets_of(task["hub"], files_of(info), configs_of(info))
    emit("listing", {"commit": commit, "offer": offer_of(task["hub"], subsets)})
    chosen = chosen_of(task, subsets)
    if chosen is None:
        emit("must_choose", True)
        return
    subset, splits = chosen
    files = wanted_files(subset, splits)
    size_bytes = sum(file.size_bytes for _, file in files)
    emit("plan", {"size_bytes": size_bytes, "subset": subset.name, "splits": splits})
    if next(read_lines(sys.stdin), None) == ("go", True):
        folder = Path(task["folder"])
        emit("file_name", Fetching(task["hub"], commit, folder, task["max_bytes"]).fetch(files))


def commit_of(info: DatasetInfo) -> str:
    if not COMMIT.fullmatch(info.sha or ""):
        raise DataError(
            f"The Hub doesn't say which commit of {info.id} it gives.",
            "Try again later.",
            code="hub_failed",
        )
    return info.sha or ""


def files_of(info: DatasetInfo) -> list[HubFile]:
    """The repository's files. Raises DataError where their sizes are not told."""
    files = info.siblings or []
    if any(file.size is None for file in files):
        raise DataError(
            f"The Hub doesn't say how large the files of {info.id} are.",
            "Try again later.",
            code="hub_failed",
        )
    return [HubFile(file.rfilename, file.size or 0) for file in files]


def configs_of(info: DatasetInfo) -> object:
    return info.card_data.get("configs") if info.card_data is not None else None


def chosen_of(
    task: Mapping[str, Any], subsets: list[Subset]
) -> tuple[Subset, Mapping[str, str]] | None:
    """The subset and what its splits become; None where a person has to say so."""
    named = [subset for subset in subsets if subset.name == task["subset"]]
    if task["subset"] and not named:
        raise DataError(
            f"{task['hub']} has no subset named {task['subset']!r:.120}.",
            f"It has {', '.join(subset.name for subset in subsets)[:200]}.",
            code="hub_subset",
        )
    candidates = named or subsets
    if len(candidates) > 1:
        return None
    (subset,) = candidates
    splits: Mapping[str, str] | None = task["splits"] or known_splits(subset)
    if splits is None or splits.keys() != {split.name for split in subset.splits}:
        return None
    return subset, splits


def offer_of(hub: str, subsets: list[Subset]) -> list[dict[str, Any]]:
    splits = sum(len(subset.splits) for subset in subsets)
    if splits > MAX_OFFERED:
        raise DataError(
            f"{hub} has {len(subsets):,} subsets with {splits:,} splits in all; up to "
            f"{MAX_OFFERED:,} splits can be chosen from.",
            "Download the files that you need elsewhere and upload them.",
            code="hub_too_many",
        )
    return [offered(subset) for subset in subsets]


def offered(subset: Subset) -> dict[str, Any]:
    """A subset as a person chooses it, with a guess of what its splits become."""
    known = known_splits(subset) or {}
    splits = [
        {
            "name": split.name,
            "files": len(split.files),
            "size_bytes": split.size_bytes,
            "becomes": known.get(split.name) or split_of_path(split.name) or "",
        }
        for split in subset.splits
    ]
    return {"name": subset.name, "is_default": subset.is_default, "splits": splits}


if __name__ == "__main__":
    main()
