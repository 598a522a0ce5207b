"""Tokens of a run that its base never trained, as far as files and the first rows tell."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from maxaillm.dev.finetune.model_files.embeddings import (
    READ,
    added_tokens,
    tokens_without_rows,
    untrained_rows,
)
from maxaillm.dev.finetune.model_files.folder import read_json
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.tasks.names import CLASSES

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig
    from maxaillm.dev.finetune.methods import TokenNote

TEMPLATE, SETTINGS, TOKENIZER = "chat_template.jinja", "tokenizer_config.json", "tokenizer.json"
NAMED = ("eos_token", "bos_token")


class Rows(NamedTuple):
    """Rows of the embeddings that a run trains beside what its method trains."""

    trained: int
    """Numbers in them."""
    copied: int
    """Numbers of the tables that each step makes anew with these rows in their place."""
    note: TokenNote | None


def token_rows(
    config: RunConfig, base: ModelShapes, folder: Path, task: str, used: frozenset[int]
) -> Rows:
    """`used`: tokens of the rows that were looked at. Raises ModelError where tokens have no row
    in the model, and the method could not train one."""
    names = names_of(folder / TOKENIZER, (folder / TOKENIZER).stat().st_mtime_ns)
    sizes = [shape for name, shape in base.shapes.items() if READ.search(name)]
    new = tokens_without_rows(len(names.all), names.added, sizes[0][0]) if sizes else []
    config.tuning.require_learning(base, new)
    found = untrained_rows(folder)
    said = {} if task in CLASSES else template_tokens(folder, names)
    untrained = found.read if task in CLASSES else found.read | found.written
    numbers = untrained & (used | frozenset(said.values()))
    tokens = [*(names.all[number] for number in sorted(numbers)), *new]
    ends = [token for token in said if token == named_token(folder, "eos_token")]
    note = config.tuning.note_on_tokens(base, tokens, ends)
    trained = config.tuning.count_rows(base, len(tokens))
    return Rows(trained, 2 * sizes[0][0] * sizes[0][1] if trained else 0, note)


class Names(NamedTuple):
    """The tokens of a tokenizer by their numbers, and those beside its vocabulary by name."""

    all: dict[int, str]
    added: dict[str, int]


@lru_cache(maxsize=16)
def names_of(file: Path, state: int) -> Names:
    """`state` tells one content of a file from the next."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokens = {number: token for token, number in tokenizer.get_vocab().items()}
    return Names(tokens, added_tokens(tokenizer))


def template_tokens(folder: Path, names: Names) -> dict[str, int]:
    """The tokens that a chat template writes, and the one that ends a text, with their numbers."""
    numbers = {token: number for number, token in names.all.items()}
    template = template_of(folder)
    written = {token for token in names.added if token in template}
    written |= {str(named_token(folder, name)) for name in NAMED if name in template}
    written.add(str(named_token(folder, "eos_token")))
    return {token: numbers[token] for token in written if token in numbers}


def template_of(folder: Path) -> str:
    if (folder / TEMPLATE).is_file():
        return (folder / TEMPLATE).read_text(encoding="utf-8")
    return str(settings_of(folder).get("chat_template") or "")


def named_token(folder: Path, name: str) -> str | None:
    """A token by the name that tokenizers give it; older ones write it as an object."""
    token = settings_of(folder).get(name)
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def settings_of(folder: Path) -> dict[str, object]:
    return read_json(folder / SETTINGS) if (folder / SETTINGS).is_file() else {}
