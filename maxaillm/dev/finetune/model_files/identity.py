"""Identity of a model: a digest of its configuration and of samples of each of its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maxaillm.dev.finetune.model_files.folder import read_header_at, read_json

SAMPLES, SAMPLE_BYTES = 4, 4096
"""Of each tensor, evenly spread: whatever changes a tensor as training does is seen."""
PASSING = frozenset({"transformers_version", "_name_or_path", "dtype", "torch_dtype", "use_cache"})
"""What a `config.json` says of how it was saved, not of what the model computes."""


class Stored(NamedTuple):
    """A tensor in a file, by its kind, and from which byte to which it lies."""

    name: str
    kind: str
    path: Path
    start: int
    end: int


def digest_of(folder: Path) -> str:
    """A name for the model in `folder`: the same for the same weights however they are divided
    into files, another one for a model that was tuned or has other sizes."""
    settings = read_json(folder / "config.json")
    kept = {name: value for name, value in settings.items() if name not in PASSING}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
    for tensor in sorted(tensors_of(folder)):
        digest.update(f"\0{tensor.name}\0{tensor.kind}\0".encode())
        for content in samples_of(tensor):
            digest.update(content)
    return digest.hexdigest()


def tensors_of(folder: Path) -> Iterator[Stored]:
    """Of the files that transformers opens, where there are others beside them."""
    index, whole = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if index.is_file():
        paths = sorted({folder / str(name) for name in read_json(index)["weight_map"].values()})
    else:
        paths = [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))
    for path in paths:
        header, begin = read_header_at(path)
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            kind = f"{entry.get('dtype')} {entry.get('shape')}"
            yield Stored(name, kind, path, begin + int(start), begin + int(end))


def samples_of(tensor: Stored) -> Iterator[bytes]:
    size = tensor.end - tensor.start
    with tensor.path.open("rb") as file:
        if size <= SAMPLES * SAMPLE_BYTES:
            file.seek(tensor.start)
            yield file.read(size)
            return
        for number in range(SAMPLES):
            file.seek(tensor.start + number * (size - SAMPLE_BYTES) // (SAMPLES - 1))
            yield file.read(SAMPLE_BYTES)
