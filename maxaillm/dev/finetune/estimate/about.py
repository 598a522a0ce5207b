"""About a model, for choosing one: parameters, size, context and licence, from headers alone."""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import NamedTuple

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.estimate.model import context_of
from maxaillm.dev.finetune.model_files.folder import check_folder, read_header
from maxaillm.dev.finetune.model_files.shapes import ModelShapes

CARD_BYTES = 64 * 1024
LICENSE = re.compile(r"^license:[ \t]*[\"']?([\w.+ -]{1,60})", re.MULTILINE)
"""As a model card names it in its head (https://huggingface.co/docs/hub/model-cards)."""


class About(NamedTuple):
    """What a model's files say of it. `context` in tokens; None and empty where they don't."""

    parameters: int
    size_bytes: int
    family: str
    context: int | None
    license: str


def about(folder: Path) -> About | None:
    """None where the folder holds no model that can be opened."""
    try:
        return read_about(folder, (folder / "config.json").stat().st_mtime_ns)
    except (OSError, ModelError):
        return None


@lru_cache(maxsize=256)
def read_about(folder: Path, changed: int) -> About:
    """`changed` tells one state of the folder from the next."""
    settings = check_folder(folder)
    shapes = read_shapes(folder)
    model = ModelShapes(shapes, settings)
    return About(
        parameters=sum(prod(shape) for shape in shapes.values()),
        size_bytes=sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        family=model.model_type,
        context=context_of(model),
        license=license_of(folder),
    )


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Each weight's shape by its name."""
    return {
        name: tuple(tensor["shape"])
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in read_header(path).items()
    }


def license_of(folder: Path) -> str:
    """The licence in the head of the model's card; else that there is a licence file."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            text = file.read(CARD_BYTES)
    except OSError:
        text = ""
    head = text[3:].partition("\n---")[0] if text.startswith("---") else ""
    found = LICENSE.search(head)
    if found:
        return found[1].strip()
    return "see its LICENSE" if (folder / "LICENSE").is_file() else ""
