"""Python's own manual pages and docstrings (PSF licence): real prose, the same on any machine."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

from maxaillm.starter.corpus.document import Document

SKIPPED = {"test", "tests", "idlelib", "turtledemo", "site-packages", "lib2to3", "encodings"}
LONGEST_PAGE = 1200  # characters; a page of the manual is cut into pieces of about this size
SHORTEST_DOCSTRING = 60
LONGEST_ANSWER = 160


def pages() -> Iterator[Document]:
    """Pieces of the language reference, then the longer docstrings of the standard library."""
    for name in sorted(topics):
        yield from pieces(plain(topics[name]))
    for _, docstring in docstrings():
        if len(docstring) > SHORTEST_DOCSTRING:
            yield from pieces(docstring)


def exchanges() -> Iterator[Document]:
    """What a function of the standard library does: its docstring's first sentence."""
    for name, docstring in docstrings():
        summary = " ".join(docstring.split("\n\n")[0].split())
        if summary.endswith(".") and summary.count(". ") == 0 and len(summary) < LONGEST_ANSWER:
            yield [("user", f"What does {name} do in Python?"), ("assistant", summary)]


def docstrings() -> Iterator[tuple[str, str]]:
    """Dotted name and docstring of the public modules, classes and functions, in a fixed order."""
    for path in library_files():
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
        if text := ast.get_docstring(tree):
            yield path.stem, plain(text)
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            if text := ast.get_docstring(node):
                yield f"{path.stem}.{node.name}", plain(text)


def library_files() -> list[Path]:
    root = Path(sysconfig.get_paths()["stdlib"])
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if not SKIPPED.intersection(path.relative_to(root).parts) and not path.stem.startswith("_")
    ]


def plain(text: str) -> str:
    """Without the underlines, tables and doctest output that teach a small model only noise."""
    lines = [
        line
        for line in text.splitlines()
        if not re.fullmatch(r"\s*[-=*+~^|_. ]{4,}\s*", line)
        and not line.lstrip().startswith(("|", "+-"))
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def pieces(text: str) -> Iterator[str]:
    """Whole paragraphs, joined up to the longest size."""
    piece = ""
    for paragraph in text.split("\n\n"):
        if piece and len(piece) + len(paragraph) > LONGEST_PAGE:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}" if piece else paragraph
    if piece:
        yield piece[: 2 * LONGEST_PAGE]
