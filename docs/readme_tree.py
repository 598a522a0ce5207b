"""Writes the README's tree of files from the first line of each; `--check` only compares.

Run: python -m docs.readme_tree
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("maxaillm", "maxft_site", "datasets_app", "jobs", "benchmarks", "docs")
TOP = ("manage.py",)
LEFT_OUT = {"migrations", "__pycache__", "vendor"}
BEGIN, END = "<!-- tree -->\n", "<!-- end of tree -->\n"


def first_line(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text())) or ""
    return doc.partition("\n")[0].rstrip(".")


def lines_of(folder: Path, depth: int) -> Iterator[str]:
    """A package's line is its `__init__.py`'s; then its modules, then its packages."""
    name = f"{'  ' * depth}{folder.name}/"
    yield f"{name:<38} {first_line(folder / '__init__.py')}".rstrip()
    for module in sorted(folder.glob("*.py")):
        if module.name != "__init__.py":
            yield f"{'  ' * (depth + 1) + module.name:<38} {first_line(module)}".rstrip()
    for inner in sorted(path.parent for path in folder.glob("*/__init__.py")):
        if inner.name not in LEFT_OUT:
            yield from lines_of(inner, depth + 1)


def tree() -> str:
    lines = [f"{name:<38} {first_line(ROOT / name)}" for name in TOP]
    for folder in FOLDERS:
        lines += lines_of(ROOT / folder, 0)
    return "```\n" + "\n".join(lines) + "\n```\n"


def main() -> int:
    readme = ROOT / "README.md"
    old = readme.read_text()
    new = re.sub(f"{BEGIN}.*{END}", lambda _: BEGIN + tree() + END, old, flags=re.DOTALL)
    if "--check" in sys.argv[1:]:
        return int(old != new)
    readme.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
