"""Exports and evaluations carried out: the engine's command in a child process, read to its end."""

from __future__ import annotations

import errno
import json
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from jobs.models import AdapterMerge, Evaluation, Export, LanguageModel
from jobs.models.engine_job import file_stem
from jobs.services import engine_jobs
from jobs.services.registry import merging
from jobs.services.registry.about import about_of
from jobs.training.engine_process import EngineProcess
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.exports import choose_export
from maxaillm.dev.finetune.processes.cause_of_death import in_words
from maxaillm.dev.finetune.run.checkpoints import sha256
from maxaillm.dev.finetune.run.events import RunFolder

LIMIT_SECONDS = 3600.0
LOOK_SECONDS = 0.05
TELL_SECONDS = 0.5
TAIL_BYTES = 4096
PACKED = 0.95
"""The share of the work that is done when the archive is packed."""
PARITY = "parity.json"


class CommandFailedError(FineTuneError):
    """The engine said why it could not, or ended without a word."""

    def __init__(self, code: str, message: str, hint: str, parity: Any = None) -> None:
        super().__init__(message, hint)
        self.code, self.parity = code, parity

    def as_json(self) -> dict[str, JsonValue]:
        return super().as_json() | ({"parity": self.parity} if self.parity else {})


class FilesFailedError(FineTuneError):
    """Files could not be read or written, such as on a full disk."""

    code = "files"

    def __init__(self, error: OSError) -> None:
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        what = error.strerror or str(error)
        said = "The disk is full" if is_full else "A file can't be read or written"
        super().__init__(
            f"{said}: {what}.",
            "Nothing half-written was left. Free space on the disk, then ask again.",
        )


class NotWantedError(Exception):
    """Who asked for the work has stopped or deleted it."""


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
        found = work_on(job)
    except NotWantedError:
        engine_jobs.give_up(job)
        return
    except FineTuneError as refused:
        error = refused
    except OSError as refused:
        error = FilesFailedError(refused)
    finally:
        if found is not None:
            engine_jobs.end(job, **found)
        elif not stopped(job):
            engine_jobs.fail(job, error.as_json())


def work_on(job: engine_jobs.Job) -> dict[str, Any]:
    """What comes of it, as its row has it."""
    if isinstance(job, Export):
        return export(job)
    return evaluate(job) if isinstance(job, Evaluation) else merge(job)


def merge(job: AdapterMerge) -> dict[str, Any]:
    """The model that adapters were merged into."""
    parts = merging.parts_of(job)
    if len(parts) < len(job.parts):
        raise CommandFailedError("gone", "An adapter of it was deleted.", "Merge others.")
    written = job.folder / "model"
    adapters = [word for p in parts for word in ("--adapter", p.model.source, str(p.weight))]
    density = [] if job.density is None else ["--density", str(job.density)]
    base = parts[0].model.base_source
    asked = ["merge", base, str(written), "--method", job.method, *density, *adapters]
    made = merging.register_merged(job, written, run(asked, job))
    return {"made": made}


def stopped(job: engine_jobs.Job) -> bool:
    return not engine_jobs.mine(job).exists()


def export(job: Export) -> dict[str, Any]:
    """The manifest, the parity report and the archive of an export."""
    files, about = job.folder / "files", job.folder / "about.json"
    known = about_of(job.model)
    name = file_stem(job.model.name)
    about.write_text(known.model_copy(update={"name": name}).model_dump_json(), encoding="utf-8")
    options = [f"{name}={json.dumps(value)}" for name, value in job.options.items()]
    beside = ["--about", str(about), *rows_of(job.model), "--progress"]
    manifest = run(["export", *source(job.model), job.format, str(files), *options, *beside], job)
    parity = json.loads((files / PARITY).read_bytes())
    if not engine_jobs.tell(job, PACKED, "Packing the archive"):
        raise NotWantedError
    pack(files, job.archive, choose_export(job.format, job.options).place(name))
    return {
        "manifest": manifest,
        "parity": parity,
        "size_bytes": job.archive.stat().st_size,
        "sha256": sha256(job.archive),
    }


def pack(files: Path, archive: Path, place: str) -> None:
    """Make an archive of the files, each gone once it is in: two copies of all would need twice
    the room."""
    with zipfile.ZipFile(archive, "w") as packed:  # weights don't get smaller
        for path in sorted(files.iterdir()):
            packed.write(path, f"{place}/{path.name}" if place else path.name)
            path.unlink()
    files.rmdir()


def rows_of(model: LanguageModel) -> list[str]:
    """Rows like those that it was tuned on, to measure it on."""
    version = model.run.dataset if model.run else None
    return ["--rows", str(version.training_path)] if version and version.is_ready else []


def evaluate(job: Evaluation) -> dict[str, Any]:
    """The scores of each model, with their intervals."""
    return {"scores": [measured(job, model) for model in job.measured.order_by("pk")]}


def measured(job: Evaluation, model: LanguageModel) -> dict[str, Any]:
    split = ["--split", job.split] if job.split else []
    metrics = ["--metrics", *job.metrics] if job.metrics else []
    path = str(job.dataset.training_path)
    return {
        "model": model.pk,
        **run(["evaluate", *source(model), path, *split, *metrics], job),
    }


def source(model: LanguageModel) -> Iterator[str]:
    """A model as commands name it."""
    yield model.source
    if model.kind == LanguageModel.Kind.ADAPTER and model.base is not None:
        yield from ("--base", model.base_source)


def run(argv: Sequence[str], job: engine_jobs.Job) -> dict[str, Any]:
    """`python -m maxaillm.dev.finetune ARGV --json`, off the network: what it prints.

    Raises CommandFailedError; NotWantedError once nobody waits for it any more.
    """
    folder = RunFolder(job.folder)
    folder.log.unlink(missing_ok=True)
    process = EngineProcess([*argv, "--json"], folder, online=False)
    begun = told = time.monotonic()
    try:
        while process.poll() is None and (now := time.monotonic()) < begun + LIMIT_SECONDS:
            if now > told + TELL_SECONDS:
                told = now
                tell(job, folder.log)
            time.sleep(LOOK_SECONDS)
        status = process.status
    finally:
        process.close()
    return said(folder.log, status)


def tell(job: engine_jobs.Job, log: Path) -> None:
    """Raises NotWantedError."""
    lines = tail_of(log).splitlines()
    steps = [found for line in lines if (found := object_in(line)) and "stage" in found]
    share, stage = (steps[-1]["progress"], steps[-1]["stage"]) if steps else (0.0, "")
    if not engine_jobs.tell(job, PACKED * share, stage):
        raise NotWantedError


def tail_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


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
        parity = error.get("parity")
        raise CommandFailedError(error["code"], error["message"], error["hint"], parity)
    if status != 0:
        how = "took too long" if status is None else in_words(status)
        hint = "Nothing half-written was left. Ask again; the memory may not suffice."
        raise CommandFailedError("died", f"The engine {how}.", hint)
    return found
