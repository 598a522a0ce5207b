"""A document of the corpus: plain text, or the turns of a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

Turn = tuple[str, str]  # role, content
Document = str | list[Turn]

TABLES = Path(__file__).parent / "tables"


def chat(exchange: list[Turn]) -> Document:
    return exchange


def ask(question: str, answer: str) -> list[Turn]:
    """One exchange; both sides begin with a capital letter."""
    return [("user", question[:1].upper() + question[1:]), ("assistant", capital(answer))]


def capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def table(name: str) -> Iterator[str]:
    """The lines of a table, without comments."""
    for line in (TABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


def pairs(name: str) -> list[tuple[str, str]]:
    """A table of the form ``one two|three four``."""
    entries = "|".join(table(name)).split("|")
    return [(a, b.replace("_", " ")) for a, b in (entry.split() for entry in entries)]


def article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"
