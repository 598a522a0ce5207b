"""Untrained tokens of a run: those of its rows that the base never learned anything of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maxaillm.dev.finetune.hf.batches.rows import Rows
from maxaillm.dev.finetune.hf.generation.sampling import end_tokens
from maxaillm.dev.finetune.hf.prepare.base_model import Base
from maxaillm.dev.finetune.model_files.embeddings import untrained_rows
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.tasks import TASKS
from maxaillm.dev.finetune.tasks.names import CLASSES


def tokens_to_train(base: Base, rows: Rows, attempt: Attempt) -> list[int]:
    """Tokens whose own rows of the embeddings a run has to train, the method allowing; what
    becomes of them is said."""
    tokenizer, method = base.tokenizer, base.config.tuning
    used = np.unique(rows.tokens.values)
    if TASKS[base.task.name].pipeline == "text2text-generation":
        used = np.union1d(used, rows.labels.values)
    found = untrained_rows(base.folder)
    untrained = found.read if base.task.name in CLASSES else found.read | found.written
    new = tokenizer.convert_tokens_to_ids(base.new_tokens)
    tokens = sorted({*new, *untrained.intersection(used.tolist())})
    shapes = ModelShapes.of(base.model)
    note = method.note_on_tokens(shapes, named(base, tokens), named(base, ends_of(base)))
    if note:
        attempt.warn(note.message, note.hint)
    return tokens


def ends_of(base: Base) -> list[int]:
    return end_tokens(base.model, base.tokenizer) if base.model.can_generate() else []


def named(base: Base, tokens: Sequence[int]) -> list[str]:
    return [str(token) for token in base.tokenizer.convert_ids_to_tokens(list(tokens))]
