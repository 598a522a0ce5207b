"""Documents name files and tests that exist, and generated pages are as their makers make them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.real_data import ROOT, TEST_DATA

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    ROOT / "benchmarks" / "README.md",
]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")
NAMED = re.compile(
    r"`((?:maxaillm|maxft_site|jobs|datasets_app|templates|static|tests|docs|benchmarks)/[^`\s<>*…]+)`"
)


def named_in(page: Path) -> Iterator[tuple[Path, str]]:
    """Paths that a page links to or names, and the test behind `::`."""
    text = page.read_text()
    for link in LINK.findall(text):
        yield page.parent / link, ""
    for name in NAMED.findall(text):
        path, _, test = name.partition("::")
        yield ROOT / path, test


def test_what_documents_name_is_there():
    missing = [
        (page.name, str(path), test)
        for page in PAGES
        for path, test in named_in(page)
        if not path.exists() or (test and test not in functions_of(path))
    ]
    assert missing == []


def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


NEEDS_DATA = pytest.mark.skipif(not TEST_DATA.is_dir(), reason="needs MAXFT_TEST_DATA")
MAKERS = [
    "docs.check_table",
    "docs.doctor_table",
    "docs.method_table",
    pytest.param("docs.data_files", marks=NEEDS_DATA),
    pytest.param("docs.field_cases", marks=NEEDS_DATA),
]


@pytest.mark.parametrize("maker", MAKERS)
def test_generated_pages_are_up_to_date(maker, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [maker, "--check"])
    assert import_module(maker).main() == 0, capsys.readouterr().out
