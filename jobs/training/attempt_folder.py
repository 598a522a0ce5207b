"""Attempt folder: the configuration with real paths, and the checkpoint to go on from."""

from __future__ import annotations

import os
from typing import NamedTuple

from django.conf import settings
from django.db.models import Max

from jobs.models import Run
from jobs.services.resolve import resolve
from jobs.training.engine_process import Reports
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.model_files.folder import is_hub_name
from maxaillm.dev.finetune.run.checkpoints import Checkpoint, newest_verified
from maxaillm.dev.finetune.run.events import RunFolder, write_atomically
from maxaillm.dev.finetune.trackers import trackers


class Prepared(NamedTuple):
    """An attempt that can start."""

    folder: RunFolder
    argv: list[str]
    is_online: bool
    secrets: tuple[str, ...]
    """Names of the environment variables that the provider reads."""
    reports: Reports
    resume: Checkpoint | None
    damaged: list[str]
    """What was wrong with newer checkpoints, in words."""


def make_folder(run: Run) -> RunFolder:
    """The private folder of the run's attempt."""
    folder = run.attempt_folder(run.attempt)
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def prepare(run: Run) -> Prepared:
    """Write the attempt's configuration into its folder and find where it goes on.

    Raises ConfigError, and DataError where the rows of its dataset are gone.
    """
    folder = run.attempt_folder(run.attempt)
    resolved = resolve(run.parsed_config, run.owner, version=run.dataset, model=run.base_model)
    if not resolved.version.training_path.is_file():
        raise DataError("The rows of the dataset are gone.", "Upload the file again.")
    config = resolved.for_engine()
    write_atomically(folder.config, config.model_dump_json(indent=1).encode())
    earlier = [run.attempt_folder(number).checkpoints for number in range(run.attempt)]
    resume, damaged = newest_verified(earlier, at_most=recorded_checkpoint(run))
    argv = ["train", str(folder.config), "--folder", str(folder.root)]
    if resume:
        argv += ["--resume", str(resume.folder)]
    words = [error.message for error in damaged]
    provider = config.provider
    to_hub = [trackers[name].hub_variable for name in config.training.report_to]
    is_online = not provider.local_models or is_hub_name(config.model.name)
    is_online |= any(os.environ.get(variable) for variable in to_hub)
    secrets = tuple(secret.variable for secret in provider.secrets)
    address = f"{settings.SITE_URL}{run.get_absolute_url()}" if settings.SITE_URL else ""
    reports = Reports(config.training.report_to, address)
    return Prepared(folder, argv, is_online, secrets, reports, resume, words)


def recorded_checkpoint(run: Run) -> int:
    """The last step of which a checkpoint is on record; 0 where none is.

    An attempt that was given up may have gone on where nobody listened. From a checkpoint that
    it made then, the curve would lack the steps before.
    """
    saved = run.events.filter(kind="checkpoint").aggregate(last=Max("step"))
    return int(saved["last"] or 0)
