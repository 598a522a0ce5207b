"""Events of a run: what it tells while it works, kept in the journal of its folder.

`kinds` declares them, `payload` is their base and registry, `metric_info` describes their
metrics, `journal` writes and follows `events.jsonl`.
"""

from __future__ import annotations

from maxaillm.dev.finetune.run.events import kinds
from maxaillm.dev.finetune.run.events.journal import Event, Journal, JournalReader, read_journal
from maxaillm.dev.finetune.run.events.payload import EventError, EventPayload
from maxaillm.dev.finetune.run.folder import RunFolder, StopAction, write_atomically

__all__ = [
    "Event",
    "EventError",
    "EventPayload",
    "Journal",
    "JournalReader",
    "RunFolder",
    "StopAction",
    "kinds",
    "read_journal",
    "write_atomically",
]
