"""Exports and evaluations carried out: the engine's command in a child process, read to its end."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.models import Evaluation, Export, LanguageModel
from jobs.services import engine_jobs
from jobs.training.engine_process import EngineProcess
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.cause_of_death import in_words
from maxaillm.dev.finetune.run.events import RunFolder

LIMIT_SECONDS = 3600.0
LOOK_SECONDS = 0.05
PARITY = "parity.json"


class CommandFailedError(FineTuneError):
    """The engine said why it could not, or ended without a word."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.code = code


class FilesFailedError(FineTuneError):
    """Files could not be read or written, such as on a full disk."""

    code = "files"

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"A file could not be read or written: {error.strerror or error}.",
            "See that the disk has room, then ask again.",
        )


UNEXPECTED = FineTuneError("The work failed.", "Ask again; the worker's log has the details.")


def carry_out(kind: str, pk: int) -> None:
    """Do what was asked for, and write down what came of it."""
    job = engine_jobs.begin(kind, pk)
    if job is None:
        return
    found: dict[str, Any] | None = None
    error = UNEXPECTED  # a fault of ours goes on to the queue, which keeps its traceback
    try:
        shutil.rmtree(job.folder, ignore_errors=True)
        job.folder.mkdir(mode=0o700, parents=True)
        found = export(job) if isinstance(job, Export) else evaluate(job)
    except FineTuneError as refused:
        error = refused
    except OSError as refused:
        error = FilesFailedError(refused)
    finally:
        if found is None:
            engine_jobs.fail(job, error.as_json())
        else:
            engine_jobs.end(job, **found)


def export(job: Export) -> dict[str, Any]:
    """The manifest, the parity report and the archive of an export."""
    files = job.folder / "files"
    options = [f"{name}={json.dumps(value)}" for name, value in job.options.items()]
    manifest = run(["export", *source(job.model), job.format, str(files), *options], job.folder)
    parity = json.loads((files / PARITY).read_bytes())
    with zipfile.ZipFile(job.archive, "w") as archive:  # weights don't get smaller
        for path in sorted(files.iterdir()):
            archive.write(path, path.name)
    shutil.rmtree(files)
    size_bytes = job.archive.stat().st_size
    return {"manifest": manifest, "parity": parity, "size_bytes": size_bytes}


def evaluate(job: Evaluation) -> dict[str, Any]:
    """The scores of each model, with their intervals."""
    return {"scores": [measured(job, model) for model in job.measured.order_by("pk")]}


def measured(job: Evaluation, model: LanguageModel) -> dict[str, Any]:
    split = ["--split", job.split] if job.split else []
    metrics = ["--metrics", *job.metrics] if job.metrics else []
    path = str(job.dataset.training_path)
    return {
        "model": model.pk,
        **run(["evaluate", *source(model), path, *split, *metrics], job.folder),
    }


def source(model: LanguageModel) -> Iterator[str]:
    """A model as commands name it."""
    yield model.source
    if model.kind == LanguageModel.Kind.ADAPTER and model.base is not None:
        yield from ("--base", model.base_source)


def run(argv: Sequence[str], folder: Path) -> dict[str, Any]:
    """`python -m maxaillm.dev.finetune ARGV --json`, off the network: what it prints.

    Raises CommandFailedError.
    """
    log = RunFolder(folder).log
    log.unlink(missing_ok=True)
    process = EngineProcess([*argv, "--json"], RunFolder(folder), online=False)
    ends = time.monotonic() + LIMIT_SECONDS
    try:
        while process.poll() is None and time.monotonic() < ends:
            time.sleep(LOOK_SECONDS)
        status = process.status
    finally:
        process.close()
    return said(log, status)


def object_in(line: str) -> dict[str, Any] | None:
    """The JSON object that a line is; libraries print other things too."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def said(log: Path, status: int | None) -> dict[str, Any]:
    """The last object that a command printed. Raises CommandFailedError for an error."""
    found: dict[str, Any] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = object_in(line) or found
    if "error" in found:
        error = found["error"]
        raise CommandFailedError(error["code"], error["message"], error["hint"])
    if status != 0:
        how = "took too long" if status is None else in_words(status)
        raise CommandFailedError("died", f"The engine {how}.", "The memory may not suffice.")
    return found
