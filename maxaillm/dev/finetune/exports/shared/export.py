"""Exports a trained model: ask, write, open again, compare, seal; or leave nothing behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import JsonValue
from transformers.utils import logging

from maxaillm.dev.finetune.errors import DiskFullError, ExportError
from maxaillm.dev.finetune.estimate.about import license_of
from maxaillm.dev.finetune.exports.shared.about import About, Exported, model_card
from maxaillm.dev.finetune.exports.shared.facts import EXACT
from maxaillm.dev.finetune.exports.shared.parity import (
    PROMPTS,
    Answer,
    TorchReplay,
    answers_of,
    compare,
    differing,
    parity_report,
)
from maxaillm.dev.finetune.exports.shared.perplexity import Reading
from maxaillm.dev.finetune.exports.shared.source import Trained
from maxaillm.dev.finetune.hf.loading import context_length
from maxaillm.dev.finetune.model_files.card import FILE as TASK_CARD
from maxaillm.dev.finetune.run.checkpoints import disk_full_said, sha256, sync

if TYPE_CHECKING:
    from maxaillm.dev.finetune.exports import Export

MANIFEST, PARITY, CARD = "manifest.json", "parity.json", "README.md"
MAX_LICENSE_BYTES = 1024 * 1024
STAGES = ("Opening the model", "Asking the model", "Writing", "Opening what was written",
          "Asking what was written", "Hashing the files")  # fmt: skip
Report = Callable[[float, str], object]
"""Is told which share of the work is done, and what comes next."""


class Besides(NamedTuple):
    """What goes with an order beside the model."""

    about: About = About()
    """For the card."""
    rows: Path | None = None
    """A data file to measure the perplexity on, where weights are rounded."""
    report: Report = lambda _share, _stage: None

    def tell(self, stage: str) -> None:
        self.report(STAGES.index(stage) / len(STAGES), stage)


NOTHING = Besides()


def export_model(
    chosen: Export,
    model: str | Path,
    folder: Path,
    base: str | Path | None = None,
    *,
    any_base: bool = False,
    besides: Besides = NOTHING,
) -> dict[str, JsonValue]:
    """Export `model` as the new folder `folder` and return its manifest.

    `model` is a tuned folder, an adapter, a starter model or a Hub name; `base` is the base of
    an adapter that does not name it, and `any_base` lets it be another one than the adapter was
    trained on. Raises ExportError where the form does not serve the model,
    or where the export, opened again, does not say what the model says.
    """
    logging.disable_progress_bar()
    besides.tell("Opening the model")
    trained = Trained(model, base, any_base=any_base)
    reason = chosen.refusal(trained.facts)
    if reason:
        raise ExportError(reason, "Choose another export format.")
    with staged(folder) as staging:
        parity = write_and_replay(chosen, trained, staging, besides)
        require_parity(parity, chosen)
        besides.tell("Hashing the files")
        (staging / TASK_CARD).write_text(trained.card.model_dump_json(), encoding="utf-8")
        add_license(trained.origin, staging)
        (staging / PARITY).write_text(json.dumps(parity, indent=1, allow_nan=False), "utf-8")
        (staging / CARD).write_text(card(chosen, trained, parity, besides.about), "utf-8")
        return seal(chosen, trained, staging, besides.about.name)


def write_and_replay(
    chosen: Export, trained: Trained, staging: Path, besides: Besides
) -> dict[str, JsonValue]:
    """Ask the trained model, write it, ask what was written, ask the export: one at a time in
    memory."""
    limit = context_length(trained.model)
    besides.tell("Asking the model")
    before = sound_answers(trained, limit)
    reading = Reading(trained, besides.rows) if chosen.rounds else None
    read = reading.of(trained.model) if reading else {}
    besides.tell("Writing")
    rounding = chosen.write(trained, staging)
    written = TorchReplay(trained.model, trained.tokenizer, trained.task)
    expected = answers_of(written, limit)
    rounded = compare(before, written, expected, rounding)
    trained.forget()
    del written
    besides.tell("Opening what was written")
    export = chosen.reload(staging, trained)
    besides.tell("Asking what was written")
    found = answers_of(export, limit)
    require_same_tokens(expected, found)
    odd = differing(before, found, words_of(trained))
    report = parity_report(compare(expected, export, found, EXACT), rounded, rounding, odd)
    if reading and isinstance(export, TorchReplay):
        report["perplexity"] = reading.beside(read, reading.of(export.model))
    return report


def words_of(trained: Trained) -> Callable[[list[int]], str]:
    """An answer as a person reads it: text, else the labels."""
    if trained.card.writes or trained.task == "masked_lm":
        return lambda tokens: str(trained.tokenizer.decode(tokens))
    labels = trained.card.labels
    return lambda classes: ", ".join(
        labels[number] if number < len(labels) else str(number) for number in classes
    )


def sound_answers(trained: Trained, limit: int | None) -> list[Answer]:
    replay = TorchReplay(trained.model, trained.tokenizer, trained.task)
    answers = answers_of(replay, limit)
    if not answers or not all(np.isfinite(answer.logits).all() for answer in answers):
        raise ExportError(
            f"{trained.folder.name} gives no numbers: its weights are damaged.",
            "Export an earlier checkpoint, or train again with a lower learning rate.",
        )
    return answers


def require_same_tokens(expected: list[Answer], found: list[Answer]) -> None:
    for prompt in PROMPTS:
        read = [[a.ids for a in answers if a.prompt == prompt] for answers in (expected, found)]
        if read[0] != read[1]:
            raise ExportError(
                f"The export reads {prompt!r} as other tokens than the model does.",
                "Its tokenizer can't be expressed in this format: choose another.",
            )


def require_parity(parity: dict[str, Any], chosen: Export) -> None:
    if parity["passed"]:
        return
    rounding = parity["rounding"]
    raise ExportError(
        f"The export as {chosen.label} does not say what the trained model says: its logits "
        f"differ by {said(parity)} (at most {parity['tolerance']:.2g}), and those of the rounded "
        f"weights by {said(rounding)} (at most {rounding['tolerance']:.2g}).",
        "Nothing was kept. Choose another format, or one that rounds less.",
        parity=parity,
    )


def said(difference: dict[str, Any]) -> str:
    value = difference["max_logit_difference"]
    equal, tokens = difference["tokens_equal"], difference["tokens"]
    return f"{'an infinity' if value is None else f'{value:.2g}'}, {equal} of {tokens} tokens equal"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder to write in, which becomes `folder` where all goes well and else disappears."""
    if folder.exists() or folder.is_symlink():
        raise ExportError(
            f"There is a {folder.name!r} already.", "Choose another folder, or move it away."
        )
    staging = folder.with_name(f".{folder.name}.export")
    try:
        shutil.rmtree(staging, ignore_errors=True)  # of an export that was killed
        with disk_full_said():
            staging.mkdir(parents=True)
            yield staging
            for path in staging.iterdir():
                sync(path)
            staging.rename(folder)
            sync(folder.parent)
    except DiskFullError as error:
        raise DiskFullError(
            "The export could not be written: the disk is full.",
            "Free space and export again. Nothing half-written was left.",
        ) from error
    except OSError as error:
        raise ExportError(
            f"{folder.name} can't be written: {error.strerror}.", "Choose another folder."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def add_license(origin: Path, staging: Path) -> None:
    """The base's licence goes where its weights go."""
    for path in sorted(origin.glob("LICENSE*")):
        if path.is_file() and path.stat().st_size <= MAX_LICENSE_BYTES:
            shutil.copyfile(path, staging / "LICENSE")
            return


def card(chosen: Export, trained: Trained, parity: dict[str, Any], about: About) -> str:
    """What is known of the model, and of this export of it."""
    library = "transformers" if chosen.merges else "peft"
    known = {
        "name": about.name if about.name != "model" else trained.facts.model_type,
        "task": trained.card.task,
        "base": trained.base or about.base,
        "license": about.license or license_of(trained.origin).lower(),
        "environment": about.environment or {k: str(v) for k, v in parity["versions"].items()},
    }
    exported = Exported(label=chosen.label, usage=chosen.usage, library=library, parity=parity)
    return str(model_card(about.model_copy(update=known), exported))


def seal(chosen: Export, trained: Trained, staging: Path, name: str) -> dict[str, JsonValue]:
    """Write the manifest: what this is, and the size and SHA-256 of each file."""
    paths = sorted(path for path in staging.iterdir() if path.is_file())
    files: list[JsonValue] = [
        {"name": path.name, "size_bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in paths
    ]
    manifest: dict[str, JsonValue] = {
        "name": name,
        "format": chosen.name,
        "options": chosen.model_dump(mode="json", exclude={"name"}),
        "task": trained.card.task,
        "model_type": trained.facts.model_type,
        "base_model": trained.base,
        "license": "LICENSE" if (staging / "LICENSE").is_file() else None,
        "files": files,
    }
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest
