"""Token views: what a model will see of a dataset, computed by a job and cached beside the rows."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from datasets_app.models import DatasetVersion
from jobs.services.resolve import Resolved, model_folder
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.run.events import RunFolder, write_atomically
from maxft_site.web.enqueue import JobSpec, enqueue

SUMMARY = 0
"""The part that has the figures of the whole; the others have `PART_ROWS` rows each."""
PART_ROWS = 10
KEPT_VIEWS = 12
"""So many combinations of model and options are kept for a version."""
FAILED_SECONDS = 60
"""After so long, work that ended without an answer is tried again when somebody looks."""
NO_ANSWER = "no_answer"


class TokenView(NamedTuple):
    """A version of a dataset as one model sees it."""

    version_id: int
    root: Path
    config: RunConfig
    """As the engine reads it: with the files of dataset and model."""

    @classmethod
    def of(cls, resolved: Resolved) -> TokenView:
        """An adapter reads as the model below it."""
        version = resolved.version
        return cls(version.pk, folder_of(version), resolved.for_engine(resolved.base))

    @property
    def key(self) -> str:
        """A name for all that decides what is seen; a changed tokenizer is another one."""
        stamps = stamps_of(model_folder(self.config.model.name))
        parts = [self.config.model_dump_json(), *stamps]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class Answer(NamedTuple):
    """A token view as far as it is known: facts, an error, or the progress."""

    facts: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    progress: float | None = None

    @property
    def is_pending(self) -> bool:
        return self.facts is None and self.error is None


class Part(NamedTuple):
    """The folder of one piece of work."""

    root: Path

    @property
    def found(self) -> Path:
        return self.root / "found.json"

    @property
    def log(self) -> Path:
        return RunFolder(self.root).log

    def answer(self) -> Answer | None:
        try:
            facts = json.loads(self.found.read_bytes())
            age = time.time() - self.found.stat().st_mtime
        except FileNotFoundError:
            return None
        if "error" not in facts:
            return Answer(facts=facts)
        is_passing = facts["error"]["code"] == NO_ANSWER
        return None if is_passing and age > FAILED_SECONDS else Answer(error=facts["error"])

    @property
    def progress(self) -> float | None:
        """The share that the process told of last."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return None
        shares = [line for line in lines if line.startswith('{"progress":')]
        return float(json.loads(shares[-1])["progress"]) if shares else None


def folder_of(version: DatasetVersion) -> Path:
    return version.root / "tokens"


def part_of(root: Path, key: str, part: int) -> Part:
    return Part(root / key / str(part))


def part_with_row(row: int) -> int:
    return (row - 1) // PART_ROWS + 1


def rows_of_part(part: int) -> range:
    return range((part - 1) * PART_ROWS + 1, part * PART_ROWS + 1)


def stamps_of(folder: Path | None) -> Iterator[str]:
    """What changes with the small files of a model."""
    if folder is None:
        return
    for path in sorted(folder.iterdir()):
        if path.suffix in {".json", ".jinja", ".txt", ".model"}:
            state = path.stat()
            yield f"{path.name} {state.st_size} {state.st_mtime_ns}"


def look_up(view: TokenView, part: int) -> Answer:
    """The cached answer, else the progress of the job, which is enqueued where there is none."""
    key = view.key
    place = part_of(view.root, key, part)
    answer = place.answer()
    if answer is not None:
        return answer
    write_request(view, key)
    enqueue(tokens_job(view, key, part))
    return Answer(progress=place.progress)


def write_request(view: TokenView, key: str) -> None:
    folder = view.root / key
    request = RunFolder(folder).config
    if request.exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(request, view.config.model_dump_json().encode())
    others = [path for path in view.root.iterdir() if path.name != key]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT_VIEWS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def tokens_job(view: TokenView, key: str, part: int) -> JobSpec:
    """The job that computes one part of a token view."""
    return JobSpec(
        queue="light",
        task="jobs.tasks.show_tokens",
        args=(view.version_id, key, part),
        id=f"tokens-{view.version_id}-{key}-{part}",
    )
