"""Generated answers to held-out rows, so that a model is judged by what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows
from maxaillm.dev.finetune.hf.generation.sampling import end_tokens
from maxaillm.dev.finetune.metrics import Answered

MAX_ROWS = 200
"""Rows that are answered: enough for a share that is sure to some 7 %."""
BATCH = 32
SPARE_TOKENS = 8
"""An answer that goes on longer than its row's by so much is another one."""


class Question(NamedTuple):
    """A row's tokens up to its last answer, and that answer."""

    prompt: list[int]
    answer: list[int]


def questions_of(rows: Rows) -> Iterator[Question]:
    """The rows that ask something; a text whose every token is learned asks nothing."""
    for index in range(len(rows)):
        ids, labels = rows[index]
        learned = labels != IGNORED
        end = int(np.flatnonzero(learned)[-1]) + 1
        before = np.flatnonzero(~learned[:end])
        start = int(before[-1]) + 1
        if start > 1:
            yield Question(ids[:start].tolist(), ids[start:end].tolist())


def answer_rows(model: Any, tokenizer: Tokenizer, rows: Rows) -> list[Answered]:
    """The likeliest answers of a model that is in evaluation mode. Greedy: no random number is
    drawn, so training is not disturbed."""
    questions = list(islice(questions_of(rows), MAX_ROWS))
    questions.sort(key=lambda question: len(question.prompt))  # little padding in a batch
    batches = (questions[begin : begin + BATCH] for begin in range(0, len(questions), BATCH))
    return [pair for batch in batches for pair in answer_batch(model, tokenizer, batch)]


def answer_batch(model: Any, tokenizer: Tokenizer, batch: Sequence[Question]) -> Iterator[Answered]:
    width = max(len(question.prompt) for question in batch)
    ids = torch.full((len(batch), width), int(tokenizer.pad_token_id or 0))
    mask = torch.zeros_like(ids)
    for row, question in enumerate(batch):
        ids[row, width - len(question.prompt) :] = torch.tensor(question.prompt)
        mask[row, width - len(question.prompt) :] = 1
    output = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=max(len(question.answer) for question in batch) + SPARE_TOKENS,
        do_sample=False,
        use_cache=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=end_tokens(model, tokenizer),
    )
    for question, generated in zip(batch, output[:, width:], strict=True):
        answer = tokenizer.decode(generated, skip_special_tokens=True)
        yield Answered(answer, tokenizer.decode(question.answer, skip_special_tokens=True))
