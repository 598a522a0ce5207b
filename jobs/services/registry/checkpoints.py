"""A checkpoint as a model: kept beside the run's own, to chat with, to export, to deploy."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction

from jobs.models import LanguageModel, Run
from jobs.services.names import numbered
from maxaillm.dev.finetune.errors import CheckpointError
from maxaillm.dev.finetune.run.checkpoints import Checkpoint, link_or_copy, name_of

WEIGHTS = (".safetensors", ".safetensors.index.json")
OF_THE_END = "README.md"
"""Its scores are those of the run's end."""


def keep_checkpoint(*, run: Run, step: int, by: User) -> LanguageModel:
    """The model that `run` was at `step`; made once. Its files are the checkpoint's own ones where
    the file system can share them. Raises CheckpointError."""
    model = LanguageModel.objects.filter(run=run, deleted=None).first()
    made_by = {"run": run.pk, "step": step}
    if model is None or model.attempt is None:
        raise CheckpointError(
            f"Run {run.pk} has saved no model yet, and a checkpoint alone has no tokenizer.",
            "Wait for its end, or stop it and keep its model.",
        )
    kept = LanguageModel.objects.filter(owner=by, made_by=made_by, deleted=None).first()
    if kept is not None:
        return kept
    checkpoint = find_checkpoint(run, step)
    with transaction.atomic():
        taken = LanguageModel.objects.filter(owner=by).values_list("name", flat=True)
        kept = LanguageModel.objects.create(
            owner=by,
            name=numbered(f"{model.name} step {step}", taken),
            kind=model.kind,
            base=model.base,
            folder=uuid4(),
            made_by=made_by,
            size_bytes=sum(path.stat().st_size for path in weights_in(checkpoint.folder)),
            parameters=model.parameters,
        )
        assemble(Path(model.source), checkpoint.folder, kept.own_folder)
    return kept


def find_checkpoint(run: Run, step: int) -> Checkpoint:
    """Whole and unaltered. Raises CheckpointError."""
    folders = [run.attempt_folder(number).checkpoints for number in range(run.attempt, -1, -1)]
    found = next((folder for each in folders if (folder := each / name_of(step)).is_dir()), None)
    if found is None:
        raise CheckpointError(
            f"Run {run.pk} has no checkpoint of step {step:,} any more.", "Choose another one."
        )
    checkpoint = Checkpoint.read(found)
    checkpoint.verify()
    return checkpoint


def weights_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(WEIGHTS)]


def assemble(model: Path, checkpoint: Path, target: Path) -> None:
    """A model's folder with the weights of a checkpoint, complete in one rename.

    Raises CheckpointError where the two don't hold the same files of weights.
    """
    names = {path.name for path in weights_in(model)}
    if names != {path.name for path in weights_in(checkpoint)}:
        raise CheckpointError(
            f"{checkpoint.name} does not hold the weights of a whole model.", "Export the model."
        )
    staged = target.with_name(f".{target.name}")
    staged.mkdir(mode=0o700, parents=True)
    try:
        for path in model.iterdir():
            if path.name not in names and path.name != OF_THE_END:
                shutil.copy2(path, staged / path.name)
        for name in names:
            link_or_copy(str(checkpoint / name), str(staged / name))
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
