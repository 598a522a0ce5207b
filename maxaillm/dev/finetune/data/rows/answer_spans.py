"""Extractive question answering: a context, a question, and where in it the answer stands."""

from __future__ import annotations

from typing import Any

from maxaillm.dev.finetune.data.rows.values import (
    RowProblem,
    Turn,
    is_blank,
    items_of,
    object_of,
    wrong_type,
)

NO_ANSWER = RowProblem(
    "no_answer",
    "The context does not answer this question.",
    "Remove the row, or write what the model is to say then.",
)
"""SQuAD 2.0 has such questions. What to say to them nobody but the owner of the data knows."""


def first_answer(answers: Any) -> str | RowProblem:
    """The text of the first answer: of {text: [...], answer_start: [...]} or [{text}, ...]."""
    spans = object_of(answers)
    texts = items_of(spans.get("text")) if spans is not None else items_of(answers)
    if spans is not None and isinstance(spans.get("text"), str):
        texts = [spans["text"]]
    if texts is None:
        return wrong_type("answers", answers, "a list of answers or an object with the list text")
    if not texts:
        return NO_ANSWER
    first = texts[0].get("text") if isinstance(texts[0], dict) else texts[0]
    if not isinstance(first, str):
        return wrong_type("the first answer", first)
    return NO_ANSWER if is_blank(first) else first


def turns_about(context: str, question: str, answer: str) -> list[Turn]:
    return [Turn("user", f"{context}\n\n{question}"), Turn("assistant", answer)]
