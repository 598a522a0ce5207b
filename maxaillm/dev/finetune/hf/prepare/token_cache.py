"""Token cache: tokenised files on disk for the next run, read as memory maps.

A folder of the cache is named by all that decides its rows, appears by one rename and is used
only while its checksums hold: several processes may fill and empty the cache at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.hf.batches.rows import Ragged, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Tokenised
from maxaillm.dev.finetune.processes.resources import cache_folder
from maxaillm.dev.finetune.run.checkpoints import sha256, size_bytes

LIMIT_BYTES = 10 * 10**9
WORTHWHILE_BYTES = 10**6
"""A smaller file is tokenised before it could be looked up."""
STALE_SECONDS = 86_400.0
"""A folder that is still being made after so long was left by a process that died."""
BUFFERED_ROWS = 1024
FACTS = "facts.json"
STAGED = ".staged-"
COUNTS = ("seen", "cut", "lost", "hints", "in_texts", "partial", "beside")
KINDS: dict[str, type[np.generic]] = {
    "ids": np.int32,
    "ends": np.int64,
    "labels": np.int32,
    "label_ends": np.int64,
    "examples": np.int64,
}
"""The files of a folder and what they hold; labels that are figures are floats as wide."""
Array = npt.NDArray[Any]


def key_of(path: Path, splits: Container[str | None], encoder: Encoder, config: RunConfig) -> str:
    """A name for all that decides the rows: file, splits, tokenizer, options and our own code."""
    ignored = {"train_file", "validation_file", "test_file", "dataset", "version"}
    state = {name: value for name, value in vars(encoder).items() if name != "tokenizer"}
    parts = [
        sha256(path),
        "".join(path.suffixes),
        repr([name for name in (None, "train", "validation", "test") if name in splits]),
        describe(encoder.tokenizer),
        type(encoder).__qualname__,
        repr(sorted(state.items())),
        str(config.task),
        config.data.model_dump_json(exclude=ignored),
        code_digest(),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def describe(tokenizer: Tokenizer) -> str:
    """All that decides which tokens a text becomes."""
    model = tokenizer.backend_tokenizer.to_str()
    return json.dumps([model, tokenizer.chat_template, repr(tokenizer.special_tokens_map)])


@cache
def code_digest() -> str:
    """A name for the engine's own code: changed code may make other rows."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[2].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class TokenCache:
    """Keeps at most `limit_bytes`; what was not used for longest goes first."""

    def __init__(self, root: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.root, self.limit_bytes = root or cache_folder() / "tokens", limit_bytes

    def encode(
        self, key: str, encoder: Encoder, examples: Iterable[Any], after_batch: Callable[[], None]
    ) -> Tokenised:
        """The rows that were kept under `key`, else those of the examples, kept from now on."""
        found = self.read(key)
        if found:
            return found
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        staged = Path(mkdtemp(prefix=STAGED, dir=self.root))
        try:
            write_rows(staged, encoder.encoded(iter(examples), after_batch), floats=encoder.floats)
            rows = read_rows(staged, floats=encoder.floats)  # maps stay good after the rename
            made = encoder.told(rows)
            write_facts(staged, made, floats=encoder.floats)
            with suppress(OSError):  # another process has just put the same rows there
                staged.rename(self.root / key)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        self.shrink(but=key)
        return made

    def read(self, key: str) -> Tokenised | None:
        """What is kept under `key`; None where there is nothing, or it is not whole."""
        folder = self.root / key
        try:
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            whole = all(sha256(folder / name) == digest for name, digest in facts["files"].items())
            rows = read_rows(folder, floats=facts["floats"]) if whole else None
            counts = {name: facts[name] for name in COUNTS} | {"dropped": Counter(facts["dropped"])}
        except (OSError, ValueError, KeyError, TypeError):
            rows = None
        if rows is None:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        with suppress(FileNotFoundError):
            os.utime(folder)
        return Tokenised(rows, **counts)

    def shrink(self, but: str) -> None:
        """Delete what is too much, and what dead processes left."""
        kept = []
        for folder in self.root.iterdir():
            with suppress(FileNotFoundError):
                age = time.time() - folder.stat().st_mtime
                if folder.name.startswith(STAGED):
                    if age > STALE_SECONDS:
                        shutil.rmtree(folder, ignore_errors=True)
                elif folder.name != but:
                    kept.append((age, size_bytes(folder), folder))
        room = self.limit_bytes
        for _, size, folder in sorted(kept):
            room -= size
            if room < 0:
                shutil.rmtree(folder, ignore_errors=True)


def write_rows(folder: Path, rows: Iterator[Tokens], *, floats: bool) -> None:
    """Append rows to the files of a folder as they come: only some are ever in memory."""
    written = {"ends": 0, "label_ends": 0}
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("wb")) for name in KINDS}
        for name in written:
            files[name].write(np.zeros(1, np.int64).tobytes())
        while batch := list(islice(rows, BUFFERED_ROWS)):
            part = arrays_of(Rows.of(batch, floats=floats))
            for name, before in written.items():
                part[name] = part[name][1:] + before
                written[name] = int(part[name][-1])
            for name, values in part.items():
                files[name].write(values.tobytes())


def read_rows(folder: Path, *, floats: bool) -> Rows:
    """The rows of a folder, read from disk only where they are looked at."""
    found = {name: read_array(folder / name, kind) for name, kind in KINDS.items()}
    labels = found["labels"].view(np.float32) if floats else found["labels"]
    return Rows(
        Ragged(found["ids"], found["ends"]),
        Ragged(labels, found["label_ends"]),
        found["examples"],
    )


def read_array(path: Path, kind: type[np.generic]) -> Array:
    """An empty file can't be mapped."""
    return np.memmap(path, kind, "r") if path.stat().st_size else np.empty(0, kind)


def arrays_of(rows: Rows) -> dict[str, Array]:
    return {
        "ids": rows.tokens.values,
        "ends": rows.tokens.starts,
        "labels": rows.labels.values,
        "label_ends": rows.labels.starts,
        "examples": rows.examples,
    }


def write_facts(folder: Path, made: Tokenised, *, floats: bool) -> None:
    """Write last what the rest is checked by."""
    facts = {
        **{name: getattr(made, name) for name in (*COUNTS, "dropped")},
        "floats": floats,
        "files": {name: sha256(folder / name) for name in KINDS},
    }
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
