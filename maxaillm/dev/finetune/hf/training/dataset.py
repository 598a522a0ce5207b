"""Datasets as `prepare_data` gives them: the sequences of a run, and the task they are for."""

from __future__ import annotations

from maxaillm.dev.finetune.hf.batches.collate import Sequences
from maxaillm.dev.finetune.hf.batches.rows import Rows
from maxaillm.dev.finetune.hf.training.tasks import ModelTask


class TaskDataset(Sequences):
    """Sequences with their task, which knows how batches are made of them and what is measured.

    So that other parts of a program, such as an evaluator, can go on from a dataset alone.
    """

    def __init__(self, task: ModelTask, rows: Rows, *, packed: bool, width: int) -> None:
        super().__init__(rows, packed=packed, width=width, paired=not task.aligned)
        self.task = task
