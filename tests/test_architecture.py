"""Walls that import-linter can't see."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from maxaillm.dev.finetune.components.problems import models_in
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.losses import losses
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.metrics import metrics

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "peft", "datasets", "evaluate", "accelerate", "plotly"}
OURS = (
    "maxaillm",
    "maxft_site",
    "jobs",
    "datasets_app",
    "templates",
    "static",
    "tests",
    "benchmarks",
)
PAGES = sorted((ROOT / "templates").rglob("*.html"))
SUFFIXES = {".py", ".js", ".css", ".html"}


def our_files() -> list[Path]:
    files = (path for folder in OURS for path in (ROOT / folder).rglob("*"))
    return [
        path
        for path in files
        if path.suffix in SUFFIXES and not {"vendor", "migrations"} & set(path.parts)
    ]


def test_web_process_stays_light():
    code = "import maxft_site.asgi, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("path", our_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_a_room_not_a_hall(path):
    assert len(path.read_text().splitlines()) <= 300


def test_tests_of_real_processes_lie_where_they_are_looked_for():
    listed = re.search('REAL_PROCESSES="(.*)"', (ROOT / "maxft").read_text()).group(1).split()
    marked = re.compile(r"\.mark\.(faults|browser)\b")
    for path in (ROOT / "tests").rglob("*.py"):
        if marked.search(path.read_text()):
            assert any(path.is_relative_to(ROOT / folder) for folder in listed), path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_components_get_explicit_arguments(path):
    includes = re.findall(r"{%\s*include[^%]*components/[^%]*%}", path.read_text())
    assert [tag for tag in includes if not re.search(r"\bonly\s*%}", tag)] == []


def test_only_tokens_hold_colours():
    for path in (ROOT / "static" / "css").glob("*.css"):
        if path.name not in {"tokens.css"}:
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!\w)|\brgba?\(", path.read_text()), path


def sections(schema: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [found for info in schema.model_fields.values() for found in models_in(info.annotation)]
    return [schema, *(section for found in inner for section in sections(found))]


COMPONENTS = [cls for registry in (methods, metrics, losses) for cls in registry.values()]
OPTIONS = list(dict.fromkeys([*sections(RunConfig), *COMPONENTS]))


@pytest.mark.parametrize("schema", OPTIONS, ids=lambda cls: cls.__name__)
def test_every_option_has_words(schema):
    for name, info in schema.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        is_section = bool(models_in(info.annotation)) and not info.title
        if (name == "name" and issubclass(schema, tuple(COMPONENTS))) or is_section:
            continue
        assert info.title, name
        assert info.description or extra.get("hidden"), name


@pytest.mark.parametrize("cls", [*COMPONENTS, *formats.values()], ids=lambda cls: cls.__name__)
def test_every_component_says_what_it_is(cls):
    assert cls.label
    assert cls.__doc__ and cls.__doc__.strip().endswith(".")
