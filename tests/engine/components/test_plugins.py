"""A package with providers, a loss, a metric and a data processor of its own, installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from maxaillm.dev.finetune.errors import ProviderError
from maxaillm.dev.finetune.run.events import Event, JournalReader
from tests import tiny
from tests.engine.components.example_package import COMPONENTS, PYPROJECT, TUNING

ROOT = Path(__file__).parents[3]
MARK = "-- next --"
SECRET = "s3cret-of-the-account"
RUN_EACH = f"""
import os, sys
from pathlib import Path
from maxaillm.dev.finetune.__main__ import main

root = Path(sys.argv[1])
with (root / "statuses").open("w") as statuses:
    for name in sys.argv[2:]:
        os.environ["EXAMPLE_API_KEY"] = "" if name == "keyless" else "{SECRET}"
        run = f"{{root}}/{{name}}"
        status = main(["train", f"{{run}}.json", "--folder", f"{{run}}-run", "--json"])
        print(status, file=statuses)
        print("{MARK}", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: Any) -> dict[str, str]:
    """Where the package is installed, by pip, without a network."""
    source, site = tmp_path_factory.mktemp("package"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "example_components.py").write_text(COMPONENTS)
    (source / "example_tuning.py").write_text(TUNING)
    install = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--no-build-isolation", "--disable-pip-version-check", "--target", str(site), str(source),
    ]  # fmt: skip
    subprocess.run(install, check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


class Run(NamedTuple):
    """A run that the command carried out: its exit status, what it complained of, its folder."""

    status: int
    complaints: str
    folder: Path

    @property
    def events(self) -> list[Event]:
        assert self.status == 0, self.complaints
        return list(JournalReader(self.folder / "events.jsonl").read())


@pytest.fixture(scope="module")
def runs(environment: dict[str, str], tmp_path_factory: Any) -> dict[str, Run]:
    """All runs in one process, for most of a short run is the import of the libraries."""
    root = tmp_path_factory.mktemp("runs")
    model = tiny.make_llama(root / "model")
    chats = tiny.write_lines(root / "chats.jsonl", tiny.conversations(12))
    rows = [{"question": f"What {n}?", "reply": f"It is {n}."} for n in range(12)]
    questions = {
        "data": {"processor": "questions", "validation_share": 0.25},
        "evaluation": {"metrics": ["loudness", "perplexity"]},
    }
    asked = tiny.write_lines(root / "questions.jsonl", rows)
    tripled = {"max_steps": 1, "loss": {"name": "doubled", "factor": 3}}
    configs = {
        "hugging_face": tiny.run_config(model, chats, training={"max_steps": 1}),
        "counting": tiny.run_config(model, chats, provider="counting", training={"max_steps": 1}),
        "tripled": tiny.run_config(model, asked, **questions, training=tripled),
        "plain": tiny.run_config(model, asked, **questions, training={"max_steps": 1}),
        "remote": tiny.run_config(model, chats, provider={"name": "remote", "suffix": "mine"}),
        "keyless": tiny.run_config(model, chats, provider="remote"),
        "unfinished": tiny.run_config(model, chats, provider="unfinished"),
        "fails": tiny.run_config(model, chats, data={"processor": "questions"}),
    }
    for name, config in configs.items():
        (root / f"{name}.json").write_text(json.dumps(config))
    done = python(environment, "-c", RUN_EACH, str(root), *configs)
    assert done.returncode == 0, done.stderr
    complaints = done.stderr.split(MARK)
    statuses = (root / "statuses").read_text().split()
    return {
        name: Run(int(status), words, root / f"{name}-run")
        for name, status, words in zip(configs, statuses, complaints, strict=False)
    }


@pytest.mark.parametrize("provider", ["hugging_face", "counting", "remote"])
def test_every_provider_keeps_the_same_journal(provider: str, runs: dict[str, Run]) -> None:
    events = runs[provider].events
    stages = [str(event.data["name"]) for event in events if event.kind == "stage"]
    assert stages[0] == "load"
    assert stages.index("train") < stages.index("save")
    assert [event.kind for event in events][-2:] == ["saved", "succeeded"]
    assert any(event.kind == "log" for event in events)
    saved = next(event.data["folder"] for event in events if event.kind == "saved")
    assert any((runs[provider].folder / str(saved)).iterdir())


def test_a_provider_sends_metrics_and_kinds_of_events_of_its_own(runs: dict[str, Run]) -> None:
    told = {event.kind: event for event in runs["counting"].events}
    assert told["log"].data["distinct_answers"] == told["succeeded"].data["metrics"]["answers"]  # type: ignore[call-overload, index]
    assert (told["counted"].step, told["counted"].data) == (1, {"rows": 12})


def test_a_provider_has_options_and_secrets_apart(runs: dict[str, Run]) -> None:
    run = runs["remote"]
    ending = run.events[-1].data["metrics"]
    assert ending == {"signed": len(SECRET), "suffix": "mine"}
    written = [path.read_bytes() for path in run.folder.rglob("*") if path.is_file()]
    assert any(b'"suffix": "mine"' in content for content in written)
    assert not any(SECRET.encode() in content for content in written)
    assert runs["keyless"].status == ProviderError.exit_code
    assert "EXAMPLE_API_KEY (names the account)" in runs["keyless"].complaints


def test_a_provider_that_lacks_a_step_is_refused(runs: dict[str, Run]) -> None:
    assert runs["unfinished"].status == ProviderError.exit_code
    for step in ("prepare_data", "train", "save_model"):
        assert f"{step} is left abstract" in runs["unfinished"].complaints


def test_a_loss_a_metric_and_a_processor_of_the_package_are_used(runs: dict[str, Run]) -> None:
    first, second = (
        next(event.data["loss"] for event in runs[name].events if event.kind == "log")
        for name in ("tripled", "plain")
    )
    assert first == pytest.approx(3 * float(str(second)), rel=1e-5)
    told = runs["tripled"].events
    assert any("perplexity" in event.data for event in told if event.kind == "eval")
    # the processor's rows are plain texts: nothing can be asked of the model
    warned = [str(event.data["message"]) for event in told if event.kind == "warning"]
    assert any("loudness" in message for message in warned)


def test_a_processor_that_fails_is_named(runs: dict[str, Run]) -> None:
    assert runs["fails"].status == 3
    assert "Questions failed" in runs["fails"].complaints
    assert "messages" in runs["fails"].complaints


def test_form_and_api_offer_what_the_package_brings(environment: dict[str, str]) -> None:
    show = textwrap.dedent(
        """
        import django; django.setup()
        from django.test import Client
        from jobs.run_form import run_form_class
        from maxaillm.dev.finetune.config import RunConfig
        import json, sys
        form = run_form_class()(initial={"provider": {"name": "remote"}})
        choices = [option.value for choice in form.choices() for option in choice.options]
        print(json.dumps({
            "form": " ".join([*map(str, form.everything()), *choices]),
            "schema": RunConfig.model_json_schema(),
            "heavy": [name for name in ("torch", "transformers") if name in sys.modules],
        }))
        """
    )
    done = python({**environment, "DJANGO_SETTINGS_MODULE": "tests.settings"}, "-c", show)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    for name in ("counting", "remote", "provider-suffix", "questions", "loudness"):
        assert name in seen["form"]
    for name in ("counting", "remote", "suffix", "questions", "loudness", "doubled"):
        assert name in json.dumps(seen["schema"])
    assert not seen["heavy"]
