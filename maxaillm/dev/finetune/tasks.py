"""What a model can be tuned for, and what the libraries call it."""

from __future__ import annotations

from typing import NamedTuple


class Task(NamedTuple):
    """A kind of work for a model."""

    peft_name: str
    """PEFT's TaskType."""


TASKS = {"causal_lm": Task(peft_name="CAUSAL_LM")}
