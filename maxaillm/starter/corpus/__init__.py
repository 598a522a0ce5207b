"""The text that the starter models learn from: our own generated English and Python's manuals."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count

from maxaillm.starter.corpus import everyday, howto, python_manual, stories, tasks
from maxaillm.starter.corpus.document import Document, Turn, chat

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "Answer in short and plain sentences.",
    "You answer questions.",
    "Be brief and friendly.",
    "You are a guide. Say only what you know.",
)

# How often each kind of document is drawn; the rest of the corpus is the Python manual, once.
MIX: tuple[tuple[Callable[[random.Random], Document], int], ...] = (
    (lambda rng: chat(everyday.exchange(rng)), 26),
    (lambda rng: chat(howto.exchange(rng)), 34),
    (lambda rng: chat(tasks.exchange(rng)), 14),
    (stories.story, 5),
    (stories.reading, 5),
)


def conversation(rng: random.Random) -> Document:
    """Several exchanges after each other, sometimes under a system prompt."""
    kinds = (everyday.exchange, howto.exchange, tasks.exchange, everyday.greeting)
    turns: list[Turn] = []
    if rng.random() < 0.5:
        turns.append(("system", rng.choice(SYSTEM_PROMPTS)))
    for _ in range(rng.randint(1, 3)):
        turns += rng.choice(kinds)(rng)
    return turns


def generated(seed: int) -> Iterator[Document]:
    """An endless stream of documents; the same seed gives the same stream."""
    rng = random.Random(seed)
    makers = [*(maker for maker, _ in MIX), conversation]
    weights = [*(weight for _, weight in MIX), 12]
    for _ in count():
        yield rng.choices(makers, weights)[0](rng)


def manual() -> list[Document]:
    """The Python manual and docstrings as plain text, and as questions and answers."""
    return [*python_manual.pages(), *python_manual.exchanges()]
