"""Walls that import-linter can't see."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from maxaillm.dev.finetune.components.problems import models_in
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.losses import losses
from maxaillm.dev.finetune.methods import methods
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.provider_options import providers

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "transformers", "peft", "datasets", "evaluate", "accelerate", "plotly"}
OURS = (
    "maxaillm",
    "maxft_client",
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
KINDS = {"methods", "losses", "metrics", "exports", "formats", "checks", "fixes", "readers"}


def our_files() -> list[Path]:
    files = (path for folder in OURS for path in (ROOT / folder).rglob("*"))
    return [
        path
        for path in files
        if path.suffix in SUFFIXES and not {"vendor", "migrations"} & set(path.parts)
    ]


def our_modules() -> list[Path]:
    packages = {"maxaillm", "maxft_client", "maxft_site", "jobs", "datasets_app"}
    files = (path for path in our_files() if path.suffix == ".py")
    return [path for path in files if path.relative_to(ROOT).parts[0] in packages]


def test_web_process_stays_light():
    code = "import maxft_site.asgi, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_no_file_has_more_than_300_lines():
    assert [path for path in our_files() if len(path.read_text().splitlines()) > 300] == []


def test_no_line_of_templates_styles_and_scripts_is_longer_than_120():
    """But for a tag of Django's that stands alone: it may not go over several lines."""
    lone_tag = re.compile(r"\s*{%((?!%}).)*%}")
    web = [path for path in our_files() if path.suffix in {".html", ".css", ".js"}]
    long = [
        (path, line) for path in web for line in path.read_text().splitlines() if len(line) > 120
    ]
    assert [(path, line) for path, line in long if not lone_tag.fullmatch(line)] == []


def test_a_folder_holds_at_most_15_modules():
    """A new concept gets a room. Components of a kind, files of a format, may be more."""
    modules = Counter(path.parent for path in our_modules() if path.name != "__init__.py")
    assert {path: n for path, n in modules.items() if n > 15 and path.name not in KINDS} == {}


def test_every_room_and_module_says_what_it_is():
    modules = {path: ast.parse(path.read_text()) for path in our_modules()}
    assert [path for path, tree in modules.items() if not ast.get_docstring(tree)] == []


VIOLATIONS = {
    "Inside jobs": ("jobs/cupboard/__init__.py", '"""A room on no floor."""\n'),
    "Inside the engine's data": (
        "maxaillm/dev/finetune/data/rows/splits.py",
        "from maxaillm.dev.finetune.data.store import store\n",
    ),
    "No circles, at any depth": (
        "jobs/services/transitions.py",
        "def late():\n    from jobs.services import runs\n",
    ),
    "Components stand alone": (
        "maxaillm/dev/finetune/metrics/bleu.py",
        "from maxaillm.dev.finetune.metrics import chrf\n",
    ),
    "The engine knows no web framework": ("maxaillm/dev/finetune/errors.py", "import django\n"),
}
"""For a contract of import-linter, a file and a line in it that break it."""


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_contract_catches_a_planted_violation(contract, tmp_path):
    for name in ("maxaillm", "jobs", "datasets_app", "maxft_client", "maxft_site"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.safetensors")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    name, line = VIOLATIONS[contract]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    with (tmp_path / name).open("a") as file:
        file.write(line)
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout


def test_only_template_tags_import_template_tags():
    """What services and views need of them is a plain function elsewhere."""
    imported = re.compile(r"^\s*(?:from|import) (?!django\.)[\w.]*\btemplatetags\b", re.MULTILINE)
    for path in our_files():
        if path.suffix == ".py" and not {"templatetags", "tests"} & set(path.parts):
            assert not imported.search(path.read_text()), path


def test_components_get_explicit_arguments():
    include = re.compile(r"{%\s*include[^%]*components/[^%]*%}")
    tags = [(path, tag) for path in PAGES for tag in include.findall(path.read_text())]
    assert [found for found in tags if not re.search(r"\bonly\s*%}", found[1])] == []


def test_only_tokens_hold_colours():
    for path in (ROOT / "static" / "css").glob("*.css"):
        if path.name not in {"tokens.css"}:
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!\w)|\brgba?\(", path.read_text()), path


def sections(schema: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [found for info in schema.model_fields.values() for found in models_in(info.annotation)]
    return [schema, *(section for found in inner for section in sections(found))]


COMPONENTS = [
    cls for registry in (methods, metrics, losses, providers) for cls in registry.values()
]
OPTIONS = list(dict.fromkeys([*sections(RunConfig), *COMPONENTS]))


def test_every_option_has_words():
    assert [name for schema in OPTIONS for name in options_without_words(schema)] == []


def options_without_words(schema: type[BaseModel]) -> Iterator[str]:
    for name, info in schema.model_fields.items():
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        is_section = bool(models_in(info.annotation)) and not info.title
        if (name == "name" and issubclass(schema, tuple(COMPONENTS))) or is_section:
            continue
        if not info.title or not (info.description or extra.get("hidden")):
            yield f"{schema.__name__}.{name}"


def test_every_component_says_what_it_is():
    for cls in (*COMPONENTS, *formats.values()):
        assert cls.label, cls
        assert cls.__doc__ and cls.__doc__.strip().endswith("."), cls


def test_exit_codes_tell_errors_apart():
    """2 is every mistake of a configuration, as of the command line itself."""
    import maxaillm.dev.finetune.run.attempt  # noqa: F401 - has errors of its own

    own = (cls.__dict__.get("exit_code") for cls in FineTuneError.__subclasses__())
    codes = Counter(code for code in own if code not in {None, 2})
    assert [code for code, count in codes.items() if count > 1] == []
