"""Spans: what stands from one character of a text to another, as words with a tag each (BIO), or
as the answer to a question about the text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.rows.unread import objects_in, others
from maxaillm.dev.finetune.data.rows.values import (
    RowProblem,
    Turn,
    is_blank,
    items_of,
    object_of,
    wrong_type,
)

STARTS = ("start", "start_offset", "begin", "startOffset")
ENDS = ("end", "end_offset", "endOffset")
LABELS = ("label", "tag", "type", "entity", "entity_group", "labels")
SINGLE = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x4DBF),
          (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))  # fmt: skip
"""Scripts without blanks between words: each of their characters is a word of its own."""
OUTSIDE = "O"


class Span(NamedTuple):
    """Characters of a text and what they are; `text` as the tool that marked them saw it."""

    start: int
    end: int
    label: str
    text: str | None = None


def span_of(item: Any) -> Span | None:
    """[start, end, label], or an object with them under the names of the usual tools."""
    if isinstance(item, list | tuple) and len(item) == 3:
        start, end, label = item
        text = None
    elif isinstance(item, dict):
        start, end, label = (first_of(item, names) for names in (STARTS, ENDS, LABELS))
        text = item.get("text")
        if isinstance(label, list):
            label = label[0] if len(label) == 1 else None
    else:
        return None
    are_numbers = all(isinstance(n, int) and not isinstance(n, bool) for n in (start, end))
    if not are_numbers or not isinstance(label, str) or not label.strip():
        return None
    return Span(start, end, label.strip(), text if isinstance(text, str) else None)


def unread_in_spans(value: Any) -> Iterator[str]:
    """What spans say beside where they lie and what they are."""
    for item in objects_in(value):
        sides = (STARTS, ENDS, LABELS)
        read = {next((name for name in names if name in item), "") for names in sides}
        yield from others({*read, "text"}, item)


def first_of(item: dict[str, Any], names: Sequence[str]) -> Any:
    return next((item[name] for name in names if name in item), None)


def spans_problem(text: str, items: Sequence[Any]) -> RowProblem | None:
    """Why these spans of `text` can't become one tag a word, or None."""
    last = Span(0, 0, "")
    for number, item in enumerate(items, start=1):
        span = span_of(item)
        if span is None:
            message = f"Span {number} is no start, end and one label: {item!r:.80}."
            return RowProblem("bad_span", message, "Write [start, end, label].")
        marked = text[span.start : span.end] if 0 <= span.start < span.end <= len(text) else ""
        if is_blank(marked):
            message = f"Span {number} goes from {span.start} to {span.end}, where no word stands."
            return RowProblem("bad_span", message, "Count characters from 0; the end is behind.")
        if span.text is not None and span.text.strip() != marked.strip():
            message = f"Span {number} says {span.text!r:.60}, the text there is {marked!r:.60}."
            return RowProblem("bad_span", message, "Count characters of this very text, from 0.")
    for span in ordered(items):
        if span.start < last.end:
            message = (
                f"{text[last.start : last.end]!r:.40} and {text[span.start : span.end]!r:.40} "
            )
            fix = "A word has one tag: keep the longer of the two, or the one that matters."
            return RowProblem("overlapping_spans", f"{message}lie over each other.", fix)
        last = span
    return None


def ordered(items: Sequence[Any]) -> list[Span]:
    """Spans by their place, each once."""
    spans = {span[:3]: span for item in items if (span := span_of(item)) is not None}
    return sorted(spans.values())


def tagged_words(text: str, items: Sequence[Any]) -> tuple[list[str], list[str]]:
    """The words of `text` and their tags: B- for the first of a span, I- for the others."""
    spans = ordered(items)
    edges = {edge for span in spans for edge in (span.start, span.end)}
    words: list[str] = []
    tags: list[str] = []
    at = 0
    for start, end in places_of_words(text, edges):
        while at < len(spans) and spans[at].end <= start:
            at += 1
        inside = at < len(spans) and spans[at].start <= start
        is_first = inside and is_blank(text[spans[at].start : start])
        words.append(text[start:end])
        tags.append(f"{'B' if is_first else 'I'}-{spans[at].label}" if inside else OUTSIDE)
    return words, tags


def places_of_words(text: str, edges: set[int]) -> Iterator[tuple[int, int]]:
    """From where to where each word goes: runs of letters and digits, every other sign alone."""
    start = 0
    for at in range(len(text) + 1):
        is_over = at == len(text) or at in edges or not goes_on(text, at)
        if at > start and is_over:
            yield start, at
            start = at
        if at < len(text) and is_blank(text[at]) and start == at:
            start = at + 1


def goes_on(text: str, at: int) -> bool:
    """Whether the character at `at` belongs to the word of the one before it."""
    if at == 0:
        return False
    if unicodedata.category(text[at])[0] == "M":
        return True
    return is_letter(text[at - 1]) and is_letter(text[at])


def is_letter(char: str) -> bool:
    is_single = not char.isascii() and any(first <= ord(char) <= last for first, last in SINGLE)
    return (char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M") and not is_single


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
