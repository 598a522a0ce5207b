"""Subsets and splits of a dataset repository on the Hub, from its file list and its card alone.

As the `datasets` library finds them, https://huggingface.co/docs/hub/datasets-data-files-configuration
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.rows.splits import NAMES, Split, split_of_path
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hub.patterns import files_meant, inside

KINDS = {
    "csv": "csv",
    "tsv": "tsv",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "parquet": "parquet",
    "arrow": "arrow",
    "txt": "text",
    "xlsx": "workbook",
}
"""What can be read as rows, by the end of a file's name. Of two as common, the first counts."""
PACKED = {"gz", "zst", "bz2", "xz"}
ASIDE = re.compile(
    r"(readme|licen[cs]e|notice|citation|requirements|changelog)\b.*"
    r"|(config|state|dataset_infos?|dataset_dict)\.json",
    re.IGNORECASE,
)
"""Names of files that lie beside the data."""
SHARD = re.compile(r"data/(?P<split>\w+(\.\w+)*)-\d{5}-of-\d{5}[^/]*\.[^/]*")
COPY = re.compile(r"(?P<subset>[^/]+)/(partial-)?(?P<split>\w+?)(-part\d+)?/\d{4,}\.parquet")
"""How the Hub names the files of its own copies as Parquet, of which no card speaks."""
SPLIT_NAME = re.compile(r"\w+(\.\w+)*")
WHOLE = "default"
MAX_NAME_CHARS = 200
CONVERTED = (
    "Write refs/convert/parquet as the revision: there the Hub keeps a copy as Parquet of many "
    "datasets."
)


class HubFile(NamedTuple):
    """A file of a repository, as the Hub lists it."""

    name: str
    size_bytes: int


class HubSplit(NamedTuple):
    """Files that belong together, under the name that the dataset's authors gave them."""

    name: str
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


class Subset(NamedTuple):
    """One of the datasets of a repository; most have one."""

    name: str
    splits: tuple[HubSplit, ...]
    is_default: bool = False


def subsets_of(repository: str, files: Sequence[HubFile], configs: object = None) -> list[Subset]:
    """The subsets whose files can be read. `configs` is what the card says, true or not.

    Raises DataError where there is none.
    """
    data = {file.name: file for file in files if kind_of(file.name)}
    if not data:
        raise DataError(*nothing_to_read(repository, files), code="hub_no_data")
    if copies := subsets_of_copy(data):
        return copies
    card = configs if isinstance(configs, list) else []
    found, problems = [], []
    for config in [each for each in card if isinstance(each, Mapping)] or [{}]:
        try:
            found.append(subset_of(config, data))
        except DataError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    named = {one.name: one for one in found}  # of a name that is there twice the last counts
    return [one._replace(is_default=len(named) == 1 or one.is_default) for one in named.values()]


def subsets_of_copy(data: Mapping[str, HubFile]) -> list[Subset]:
    """The subsets of refs/convert/parquet; none where any file is named in another way."""
    found: dict[str, dict[str, list[HubFile]]] = {}
    for name in sorted(data):
        match = COPY.fullmatch(name)
        if match is None:
            return []
        found.setdefault(match["subset"], {}).setdefault(match["split"], []).append(data[name])
    return [
        Subset(
            name,
            tuple(HubSplit(split, tuple(files)) for split, files in splits.items()),
            is_default=name == WHOLE or len(found) == 1,
        )
        for name, splits in found.items()
    ]


def subset_of(config: Mapping[str, Any], data: Mapping[str, HubFile]) -> Subset:
    name, folder = str(config.get("config_name", WHOLE)), config.get("data_dir") or ""
    meant = config.get("data_files")
    names = list(data)
    if meant is None:
        base = inside(folder)
        parts = splits_by_name([each for each in names if is_below(each, base)], base)
    else:
        parts = {
            split: [one for pattern in patterns for one in files_meant(pattern, folder, names)]
            for split, patterns in patterns_of(meant).items()
        }
    splits = of_one_kind(parts, data)
    if not splits or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise DataError(
            f"The card's subset {name!r:.120} has no files that can be read as rows.",
            "Take another revision, or tell the authors of the dataset.",
            code="hub_card",
        )
    return Subset(name, splits, config.get("default") is True or name == WHOLE)


def is_below(name: str, folder: str) -> bool:
    return not folder or name.startswith(f"{folder}/")


def patterns_of(meant: object) -> dict[str, list[object]]:
    """The patterns of each split, however the card writes them; without a split it is train."""
    if not isinstance(meant, list):
        meant = [meant]
    found: dict[str, list[object]] = {}
    for each in meant:
        entry = each if isinstance(each, Mapping) else {"split": "train", "path": each}
        split, path = entry.get("split"), entry.get("path")
        if not isinstance(split, str) or not is_split_name(split):
            raise DataError(
                f"The card has a split named {split!r:.120}.",
                "Take another revision, or tell the authors of the dataset.",
                code="hub_card",
            )
        found.setdefault(split, []).extend(path if isinstance(path, list) else [path])
    return found


def is_split_name(text: str) -> bool:
    return len(text) <= MAX_NAME_CHARS and bool(SPLIT_NAME.fullmatch(text))


def splits_by_name(names: Iterable[str], folder: str) -> dict[str, list[str]]:
    """Splits as the names of files say; where none does, all is for training.

    Shards in `data/` may belong to a split of any name; of other files, those whose names say
    nothing are left out where some do.
    """
    short = {name: name[len(folder) :].lstrip("/") for name in names}
    shards = {name: match["split"] for name in short if (match := SHARD.fullmatch(short[name]))}
    said = shards or {name: split_of_path(short[name]) for name in short}
    found: dict[str, list[str]] = {}
    for name, split in said.items():
        if split is not None:
            found.setdefault(split, []).append(name)
    return found or {"train": list(short)}


def of_one_kind(
    parts: Mapping[str, Iterable[str]], data: Mapping[str, HubFile]
) -> tuple[HubSplit, ...]:
    """The splits with the files of the kind that most have; the others lie beside the data."""
    kinds = Counter(kind_of(name) for names in parts.values() for name in names)
    order = list(dict.fromkeys(KINDS.values()))
    chosen = max(order, key=lambda kind: (kinds[kind], -order.index(kind)))
    splits = [
        HubSplit(split, tuple(data[name] for name in sorted(set(names)) if kind_of(name) == chosen))
        for split, names in parts.items()
    ]
    return tuple(split for split in splits if split.files)


def kind_of(name: str) -> str | None:
    """Which kind of rows the file holds; None of a hidden one, or one that is no data."""
    parts = name.split("/")
    is_hidden = any(part.startswith((".", "__")) or not part for part in parts)
    if is_hidden or ASIDE.fullmatch(parts[-1]):
        return None
    return KINDS.get(ending_of(name).lstrip(".").split(".")[0])


def ending_of(name: str) -> str:
    """`.jsonl.gz` of `data/a.b.jsonl.gz`: how it is written and, perhaps, packed."""
    first, *packed = reversed(PurePosixPath(name.lower()).suffixes[-2:] or [""])
    if first[1:] in PACKED and packed:
        return packed[0] + first
    return first


def known_splits(subset: Subset) -> dict[str, Split] | None:
    """What each split of a subset becomes; None where that is for a person to say."""
    known = {split.name: NAMES.get(split.name.lower()) for split in subset.splits}
    if None in known.values() or "train" not in known.values():
        return None
    return {name: split for name, split in known.items() if split}


def nothing_to_read(repository: str, files: Sequence[HubFile]) -> tuple[str, str]:
    """Why no rows can come from these files, and what to do."""
    endings = Counter(PurePosixPath(file.name).suffix.lower() for file in files)
    scripts = [file.name for file in files if file.name.endswith(".py")]
    common = [(ending, count) for ending, count in endings.most_common() if is_told(ending)]
    if scripts and (not common or common[0][0] == ".py"):
        return (
            f"{repository} makes its rows by a program, {scripts[0]}, which is not run.",
            CONVERTED,
        )
    if not common:
        return f"{repository} holds no data.", "Choose another dataset or revision."
    ending, count = common[0]
    return (
        f"{repository} holds {count:,} {ending} file{'s' * (count > 1)} and nothing that can be "
        "read as rows.",
        "Rows come from CSV, TSV, JSON, JSON Lines, Parquet, Arrow, text or XLSX files.",
    )


def is_told(ending: str) -> bool:
    return ending not in {"", ".md", ".gitattributes"}
