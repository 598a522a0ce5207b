"""Adapters of one base made into one by PEFT: linear, TIES, DARE."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import JsonValue

from maxaillm.dev.finetune.errors import ConfigError, ExportError, Problem
from maxaillm.dev.finetune.exports.shared.export import Report, staged
from maxaillm.dev.finetune.exports.shared.merging import DENSITY, MERGES
from maxaillm.dev.finetune.exports.shared.source import Trained
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.model_files.card import ADAPTER_CONFIG
from maxaillm.dev.finetune.model_files.card import FILE as TASK_CARD
from maxaillm.model.source import laid

MERGED = "merged"
SEED = 42
"""DARE drops entries at random: the same ones each time."""
STAGES = ("Opening the adapters", "Merging", "Writing")


class Part(NamedTuple):
    """An adapter, and how much it counts."""

    folder: str
    weight: float


def merge_asked(args: Namespace, report: Report) -> dict[str, JsonValue]:
    """As the arguments of the command say. Raises ConfigError for a method that is not known."""
    if args.method not in MERGES:
        message, allowed = "There is no such way to merge.", ", ".join(MERGES)
        raise ConfigError([Problem("method", message, args.method, allowed)])
    return merge_adapters(
        [Part(folder, float(weight)) for folder, weight in args.adapter],
        args.base,
        args.folder,
        method=args.method,
        density=DENSITY if args.density is None else args.density,
        report=report,
    )


def merge_adapters(
    parts: Sequence[Part],
    base: str,
    folder: Path,
    *,
    method: str,
    density: float | None,
    report: Report,
) -> dict[str, JsonValue]:
    """Write one adapter made of several as the new `folder`; says what it is.

    Raises ExportError where they can't be merged, such as adapters of different ranks.
    """
    trained = [Trained(Path(part.folder), base) for part in parts]
    require_alike(trained)
    tell(report, 0)
    model = trained[0].model
    for number, other in enumerate(trained[1:], 1):
        model = laid(model, other.folder, f"part{number}")
    names = ["default", *(f"part{number}" for number in range(1, len(trained)))]
    tell(report, 1)
    torch.manual_seed(SEED)
    options = {"density": density} if MERGES[method].drops else {}
    try:
        model.add_weighted_adapter(
            names, [part.weight for part in parts], MERGED, combination_type=method, **options
        )
    except (ValueError, RuntimeError, NotImplementedError, AttributeError) as error:
        raise ExportError(
            f"These adapters can't be merged: {loading.first_line(error)}",
            "Take adapters of one method and rank that were trained on the same layers.",
        ) from error
    tell(report, 2)
    with staged(folder) as staging:
        save(model, trained[0], staging)
        size = sum(path.stat().st_size for path in staging.glob("*.safetensors"))
    counted = sum(p.numel() for name, p in model.named_parameters() if f".{MERGED}." in name)
    return {"size_bytes": size, "parameters": counted}


def tell(report: Report, stage: int) -> None:
    report(stage / len(STAGES), STAGES[stage])


def save(model: Any, first: Trained, staging: Path) -> None:
    """As a run would have saved it."""
    model.set_adapter(MERGED)
    model.save_pretrained(staging, selected_adapters=[MERGED])
    for path in (staging / MERGED).iterdir():
        path.rename(staging / path.name)
    (staging / MERGED).rmdir()
    settings = json.loads((staging / ADAPTER_CONFIG).read_bytes())
    settings["base_model_name_or_path"] = first.adapter.get("base_model_name_or_path")
    (staging / ADAPTER_CONFIG).write_text(json.dumps(settings, indent=2), encoding="utf-8")
    (staging / "README.md").unlink(missing_ok=True)  # PEFT's, with nothing in it
    first.tokenizer.save_pretrained(staging)
    if (first.folder / TASK_CARD).is_file():
        shutil.copyfile(first.folder / TASK_CARD, staging / TASK_CARD)


def require_alike(trained: Sequence[Trained]) -> None:
    """Raises ExportError for adapters that have nothing to add up."""
    facts: dict[str, Callable[[Trained], object]] = {
        "methods": lambda one: one.adapter.get("peft_type"),
        "tasks": lambda one: one.card.task,
        "labels": lambda one: tuple(one.card.labels),
        "ranks": lambda one: one.adapter.get("r"),
    }
    for what, of in facts.items():
        found = list(dict.fromkeys(map(of, trained)))
        if len(found) > 1:
            named = " and ".join(map(str, found))
            raise ExportError(
                f"Adapters of different {what} can't be merged: {named}.",
                "Take adapters that were trained in the same way.",
            )
