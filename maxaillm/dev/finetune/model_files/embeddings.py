"""Embeddings by their files: rows that the base never trained, tokens that have no row yet.

A token that no text of the base had got the same gradients as all others of its kind: their rows
ended up equal, or stayed at nothing, or at the mean, where new rows are begun. As long as such rows
are frozen, no tuning can tell these tokens from each other, and none is ever likely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.folder import read_header_at

Values = npt.NDArray[np.float32]

READ = re.compile(
    r"(^|\.)(embed_tokens|wte|word_embeddings|tok_embeddings|token_embedding|embed_in|shared)\.weight$"
)
WRITTEN = re.compile(r"(^|\.)(lm_head|embed_out)\.weight$")
"""What families of models call the table of what is read, and of what is written."""
WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
BLOCK_BYTES = 16 * 1024 * 1024
DIRECTIONS = 16
"""Rows are compared by so many random directions: two that differ do in one of them."""
EQUAL, NOTHING, MEAN = 0.05, 0.01, 0.05
"""In widths of the table, the median distance of a row from the mean: cells in which rows count as
equal; a length that is none; a distance from the mean that is none. Measured in a small Llama of
512 rows: the next row is 1.3 widths away from a trained one in the median, and less than 0.015
from three quarters of those that are found. In BERT's no two rows are nearer than 0.2."""


WHITE_SPACE = str.maketrans({"Ġ": " ", "▁": " ", "Ċ": "\n", "ĉ": "\t"})
"""As byte-level BPE and SentencePiece write it."""


class Untrained(NamedTuple):
    """Numbers of the rows that were never trained: as tokens are read, and as they are written."""

    read: frozenset[int]
    written: frozenset[int]


class Table(NamedTuple):
    """Where a matrix lies: in which file, from which byte on."""

    path: Path
    start: int
    rows: int
    width: int
    dtype: str

    def blocks(self) -> Iterator[Values]:
        """The rows in order, some megabytes at a time."""
        row_bytes = self.width * WIDTHS[self.dtype]
        rows = max(1, BLOCK_BYTES // row_bytes)
        with self.path.open("rb") as file:
            file.seek(self.start)
            for first in range(0, self.rows, rows):
                content = file.read(min(rows, self.rows - first) * row_bytes)
                yield decoded(content, self.dtype).reshape(-1, self.width)


def decoded(content: bytes, dtype: str) -> Values:
    if dtype == "BF16":  # the upper half of an F32
        return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
    kind = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]
    return np.frombuffer(content, kind).astype(np.float32)


def untrained_rows(folder: Path) -> Untrained:
    """The rows of a model's embeddings that its training left alone. Remembered until the files
    change; empty where the files have them in a form that is not known."""
    files = sorted(folder.glob("*.safetensors"))
    states = ((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return look(tuple(states))


@lru_cache(maxsize=32)
def look(files: tuple[tuple[Path, int, int], ...]) -> Untrained:
    tables = {name: table for path, _, _ in files for name, table in tables_in(path)}
    read = [table for name, table in tables.items() if READ.search(name)]
    written = [table for name, table in tables.items() if WRITTEN.search(name)]
    if len(read) != 1:  # none that is known, or an encoder and a decoder with their own
        return Untrained(frozenset(), frozenset())
    found = untrained_in(read[0])
    return Untrained(found, untrained_in(written[0]) if len(written) == 1 else found)


def tables_in(path: Path) -> Iterator[tuple[str, Table]]:
    header, start = read_header_at(path)
    for name, entry in header.items():
        shape, dtype = entry.get("shape") or [], str(entry.get("dtype"))
        if len(shape) == 2 and dtype in WIDTHS and (READ.search(name) or WRITTEN.search(name)):
            offset = start + int(entry["data_offsets"][0])
            yield name, Table(path, offset, int(shape[0]), int(shape[1]), dtype)


def untrained_in(table: Table) -> frozenset[int]:
    """In one pass over the rows: which equal another one, are nothing, or are the mean."""
    directions = np.random.default_rng(0).standard_normal((table.width, DIRECTIONS))
    directions = (directions / np.sqrt(DIRECTIONS)).astype(np.float32)
    parts = [(np.linalg.norm(block, axis=1), block @ directions) for block in table.blocks()]
    lengths = np.concatenate([length for length, _ in parts])
    seen = np.concatenate([projected for _, projected in parts])
    from_mean = np.linalg.norm(seen - seen.mean(0), axis=1)
    width = float(np.median(from_mean))
    if not np.isfinite(width) or width == 0:
        return frozenset()
    places = (seen - seen.mean(0)) / (EQUAL * width)
    equal = share_a_cell(places) | share_a_cell(places + 0.5)  # a border parts neighbours
    untrained = equal | (lengths < NOTHING * np.median(lengths)) | (from_mean < MEAN * width)
    return frozenset(np.flatnonzero(untrained).tolist())


def share_a_cell(places: Values) -> npt.NDArray[np.bool_]:
    """Which of the rows have another one in their cell of a grid with a width of one."""
    mixed = np.random.default_rng(1).integers(-(2**62), 2**62, places.shape[1])
    cells = np.floor(places).astype(np.int64) @ mixed  # one number for a cell's sixteen
    _, cell_of, counts = np.unique(cells, return_inverse=True, return_counts=True)
    shared: npt.NDArray[np.bool_] = counts[cell_of] > 1
    return shared


def tokens_without_rows(size: int, added: Mapping[str, int], rows: int) -> list[str]:
    """Tokens that were added to a tokenizer and lack a row in the model's embeddings.

    `size`: how many tokens the tokenizer has; `added`: those it did not have from the start, with
    their numbers. Raises ModelError where others lack one: then it is another model's tokenizer.
    """
    lacking = sorted((number, token) for token, number in added.items() if number >= rows)
    if size - rows > len(lacking):
        raise ModelError(
            f"The tokenizer has {size:,} tokens and the model rows for {rows:,}: "
            "they belong to two models.",
            "Download the model again, tokenizer and weights together.",
        )
    return [token for _, token in lacking]


def listed(tokens: Sequence[str], most: int = 8) -> str:
    """The names of tokens for a sentence."""
    named = ", ".join(map(shown, tokens[:most]))
    return f"{named} and {len(tokens) - most:,} more" if len(tokens) > most else named


def shown(token: str) -> str:
    """A token with the white space that tokenizers write as letters, quoted where it has some."""
    text = token.translate(WHITE_SPACE)
    return text if text.isprintable() and " " not in text else repr(text)


def added_tokens(tokenizer: Any) -> dict[str, int]:
    """Of a `tokenizers.Tokenizer`: the tokens beside its vocabulary, with their numbers."""
    return {token.content: number for number, token in tokenizer.get_added_tokens_decoder().items()}
