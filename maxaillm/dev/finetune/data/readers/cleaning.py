"""Characters that no database and no tokenizer takes: NUL and half surrogate pairs."""

from __future__ import annotations

import re
from typing import Any

from maxaillm.dev.finetune.data.readers.records import Note

BROKEN = re.compile("[\ud800-\udfff]")
NUL = Note("nul_removed", "A NUL character was taken out.")
REPLACED = Note("broken_text", "A broken character was replaced by U+FFFD.")
DIRTY_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""A NUL or a surrogate, paired or not, in the notation of JSON."""


def is_dirty(text: str, *, is_broken: bool) -> bool:
    """Whether `text` needs `clean`; `is_broken` says that its file does not fit its encoding."""
    return "\0" in text or (is_broken and BROKEN.search(text) is not None)


def clean(value: Any, notes: set[Note]) -> Any:
    """`value` with what can't be stored taken out of all its texts."""
    if isinstance(value, str):
        return clean_text(value, notes)
    if isinstance(value, list):
        return [clean(item, notes) for item in value]
    if isinstance(value, dict):
        return {clean_text(key, notes): clean(item, notes) for key, item in value.items()}
    return value


def clean_text(text: str, notes: set[Note]) -> str:
    if "\0" in text:
        notes.add(NUL)
        text = text.replace("\0", "")
    if BROKEN.search(text):
        notes.add(REPLACED)
        text = BROKEN.sub("�", text)
    return text
