"""A run that is watched: by an exam, by a slow reader, by a limit of memory."""

from __future__ import annotations

import time
from copy import copy
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.doctor.record import Unseen
from maxaillm.dev.finetune.advice.history import EVAL_LOSS
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.hf.batches.rows import Rows
from maxaillm.dev.finetune.hf.evaluation.evaluator import HeldOutEvaluator
from maxaillm.dev.finetune.hf.generation.answers import questions_of
from maxaillm.dev.finetune.hf.generation.sampling import end_tokens
from maxaillm.dev.finetune.hf.training.dataset import TaskDataset
from maxaillm.dev.finetune.hf.training.token_loss import measuring
from maxaillm.dev.finetune.metrics import Classified
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning

WRITTEN = 16
"""Answers that are looked at for their ends."""
SPARE = 16
WHOLE = 100_000


class SlowRows(TaskDataset):
    """Sleeps before each batch, so many times as long as the step before took."""

    factor, slept, worked, last = 0.0, 0.0, 0.0, 0.0

    @classmethod
    def of(cls, dataset: TaskDataset, factor: float) -> SlowRows:
        made: SlowRows = copy(dataset)  # type: ignore[assignment]
        made.__class__ = cls
        made.factor, made.gaps = factor, []
        return made

    def __getitem__(self, index: int) -> list[int]:
        gap = time.monotonic() - self.last if self.last else 0.0
        if gap > 1e-3:  # a step lies between; what is longer held an evaluation
            self.gaps.append(gap)
            gap = min(gap, 2 * median(self.gaps))
            self.worked += gap
            self.slept += self.factor * gap
            time.sleep(self.factor * gap)
        self.last = time.monotonic()
        return super().__getitem__(index)


class ObservedTuning(MaxHuggingFaceFineTuning):
    """The engine's own run, with what it does not see noted beside it."""

    exam_file: Path
    slow_factor = 0.0
    is_base = False

    def observe(self, exam_file: Path, slow_factor: float) -> None:
        self.exam_file, self.slow_factor = exam_file, slow_factor
        self.unseen, self.exam_base = Unseen(), np.empty((0, 2))

    def prepare_data(self, *files: Any) -> Any:
        train, held_out = super().prepare_data(*files)
        self.unseen.cut_share = self.longer_share()
        if self.task.learns_tokens:
            trained = int((self.rows.labels.values >= 0).sum())
            self.unseen.trained_share = trained / len(self.rows.tokens.values)
        self.slow = SlowRows.of(train, self.slow_factor) if self.slow_factor else None
        return self.slow or train, held_out

    def longer_share(self) -> float:
        """Of the examples of the training file, by their whole length; texts go on in new rows."""
        examples = list(read_documents(str(self.config.data.train_file)))
        whole = self.task.encoder(self.tokenizer, WHOLE).encode(examples).rows
        is_text = type(examples[0]).__name__ == "Text"
        longest = np.maximum(whole.tokens.lengths, whole.labels.lengths)
        return 0.0 if is_text else float((longest > self.base.width).mean())

    def make_evaluator(self, held_out: Any) -> HeldOutEvaluator:
        evaluator = super().make_evaluator(held_out)
        encoder = self.task.encoder(self.tokenizer, WHOLE)
        rows = encoder.encode(read_documents(self.exam_file)).rows
        packed, width = held_out.packed, max(self.base.width, int(rows.tokens.lengths.max()))
        sequences = TaskDataset(self.task, rows, packed=packed, width=width)
        exam = HeldOutEvaluator(self.task, self.tokenizer, sequences, [], batch_size=64)
        measure, measure_base = evaluator.scores, evaluator.baseline

        def scores(model: Any) -> Any:
            own = measure(model)
            self.sit(exam, model)
            return own

        def baseline(model: Any) -> Any:
            self.is_base = True  # it is measured after the first step
            found = measure_base(model)
            self.is_base = False
            return found

        evaluator.scores = scores  # type: ignore[method-assign]
        evaluator.baseline = baseline  # type: ignore[method-assign]
        self.exam = exam
        return evaluator

    def sit(self, exam: HeldOutEvaluator, model: Any) -> None:
        """Measure on the exam; the gain and its error are those of the newest measurement."""
        step = 0 if self.is_base else int(self.callback.trainer.state.global_step)
        loss = exam.scores(model)[EVAL_LOSS]
        kept = dict(self.unseen.exam)
        self.unseen.exam = sorted((kept | {step: float(loss)}).items())  # type: ignore[arg-type]
        rows = exam.by_metric[EVAL_LOSS]
        if not step:
            self.exam_base = rows
        gain = self.exam_base[:, 0] - rows[:, 0]
        tokens = rows[:, 1]
        rest = gain - gain.sum() / tokens.sum() * tokens
        self.unseen.error_of_one_row = float(rest.std(ddof=1) / tokens.mean())
        self.unseen.exam_guess, self.unseen.exam_rows = exam.guess_loss, len(rows)

    def finish_exam(self) -> None:
        """What the model says of each label, and whether its answers end."""
        model = self.callback.trainer.model
        self.unseen.recalls = recalls(self.task, self.exam.predictions, self.rows)
        if self.task.answers:
            self.unseen.stops = stops(
                model, self.tokenizer, self.exam.held_out.rows, is_aligned=self.task.aligned
            )
        if self.slow:
            self.unseen.slept_share = self.slow.slept / (self.slow.slept + self.slow.worked)


def recalls(task: Any, said: Any, trained: Rows) -> list[tuple[str, float, int, int]]:
    if not said or not all(isinstance(one, Classified) for one in said):
        return []
    counts = np.bincount(trained.labels.values, minlength=len(task.labels))
    found = []
    for at, name in enumerate(task.labels):
        own = [one for one in said if one.label == at]
        right = sum(one.predicted == at for one in own)
        found.append((name, float(counts[at] / counts.sum()), len(own), right))
    return found


def stops(model: Any, tokenizer: Any, rows: Rows, *, is_aligned: bool) -> tuple[int, int] | None:
    """Answers that are written to exam prompts, one by one, and those that end by themselves."""
    ends = end_tokens(model, tokenizer)
    if is_aligned:
        asked = [(one.prompt, len(one.answer)) for one in questions_of(rows)]
    else:
        asked = [(rows[at][0].tolist(), len(rows[at][1])) for at in range(len(rows))]
    asked = asked[:WRITTEN]
    ended = 0
    with measuring(model):
        for prompt, length in asked:
            given = torch.tensor([prompt])
            written = model.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=length + SPARE,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=ends or None,
            )[0]
            new = written[len(prompt) :] if is_aligned else written[1:]
            ended += int(any(int(token) in ends for token in new))
    return (len(asked), ended) if asked else None
