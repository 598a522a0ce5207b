"""Refusals: an assistant declines to answer, or says that it is a language model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from maxaillm.dev.finetune.data.analysis.text_search import first_of_each_row, hits
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks

MODEL = (
    r"\bas an? (?:ai|artificial intelligence)(?: language)? model\b"
    r"|\bas an ai(?: assistant| chatbot)?,? (?:i|my)\b[^.\n]{0,40}(?:\bnot\b|n['’]t\b|\bun|\bno\b)"
    r"|\bas a(?: large)? language model, i (?:do|can|am|have|cannot|don['’]t)\b"
    r"|\bi(?:['’]m| am) (?:just |only )?an ai language model(?:,| and)"
    r"|\bals (?:ein )?ki-(?:sprach)?modell\b|\ben tant qu[e'’] ?(?:un )?(?:modèle|intelligence)"
    r"|\bcomo (?:un )?modelo de lenguaje\b|作为(?:一个|一款)?(?:AI|人工智能|语言模型)"
)
DECLINING = (
    r"(?:can(?:no|['’])t|(?:am|['’]m) (?:not able|unable) to|(?:am|['’]m) not allowed to"
    r"|won['’]t|will not)\s+(?:\w+ )?"
    r"(?:assist|help|provide|answer|fulfil+|comply|do that|give|generate|create|write|engage|"
    r"discuss|respond|share|complete|support|offer|produce|continue)\b"
)
OPENING = (
    rf"(?:i(?:['’]m| am) (?:very |really |so |truly )?sorry|sorry|i apologi[sz]e|unfortunately)"
    rf"[,.;:!]?\s+(?:but |that )?(?:as [^.]{{0,60}}, )?i(?:['’]m| am)? ?\s*{DECLINING}"
    rf"|i {DECLINING}|i['’]m (?:not able|unable) to \w+"
)
PATTERN = rf"(?i){MODEL}|^\s*(?:{OPENING})"
REFUSAL, SPEAKS_AS_MODEL = re.compile(PATTERN), re.compile(rf"(?i){MODEL}")


@checks.register
class Refusal(Check):
    """Only of answers that a model learns to give: as one to avoid, a refusal is good data."""

    label: ClassVar[str] = "Refusals"
    why: ClassVar[str] = "A model that learns refusals declines questions that it could answer."
    advice: ClassVar[str] = "Drop the row, unless the model is to decline such questions."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["refusal"] = "refusal"

    def see(self, batch: Batch) -> Iterator[Issue]:
        found = hits(batch, PATTERN, batch.is_answer)
        for row, (message, snippet) in first_of_each_row(found, refusal_in):
            yield Issue(batch.numbers[row], message, snippet)


def refusal_in(text: str) -> tuple[str, str] | None:
    match = REFUSAL.search(text)
    if match is None:
        return None
    speaks_as_model = SPEAKS_AS_MODEL.match(match[0].strip()) is not None
    message = "speaks as a language model" if speaks_as_model else "declines to answer"
    return f"The answer {message}.", text[match.start() :].strip()
