"""Out of memory: a batch did not fit and was computed in pieces."""

from __future__ import annotations

from maxaillm.dev.finetune.advice.doctor.curves import Curves
from maxaillm.dev.finetune.advice.doctor.finding import Finding
from maxaillm.dev.finetune.advice.history import RunHistory
from maxaillm.dev.finetune.advice.verdict import NextStep

BATCH = "training.per_device_train_batch_size"
ACCUMULATION = "training.gradient_accumulation_steps"


def out_of_memory(history: RunHistory, curves: Curves | None) -> Finding | None:
    size, batch = history.sequences_at_once, history.options.get(BATCH)
    if size is None or not isinstance(batch, int) or size >= batch:
        return None
    pieces = history.options.get(ACCUMULATION)
    more = -(-batch // size) * (pieces if isinstance(pieces, int) else 1)
    return Finding(
        code="out_of_memory",
        level="note",
        title=f"The memory sufficed for {size:,} of {batch:,} sequences at once",
        explanation="Each batch was computed in pieces: the result is the same. Finding that out "
        "took time at the start, which the change saves.",
        next_steps=[
            NextStep(label="Use a smaller batch", changes={BATCH: size, ACCUMULATION: more})
        ],
    )
