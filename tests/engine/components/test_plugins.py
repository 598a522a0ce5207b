"""A package with a provider, a loss, a metric and a data processor of its own, installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from maxaillm.dev.finetune.run.events import Event, JournalReader
from tests import tiny

ROOT = Path(__file__).parents[3]
PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "maxaillm-example"
version = "1.0"

[tool.setuptools]
py-modules = ["example_components", "example_tuning"]

[project.entry-points."maxaillm.losses"]
doubled = "example_components:Doubled"

[project.entry-points."maxaillm.metrics"]
loudness = "example_components:Loudness"

[project.entry-points."maxaillm.processors"]
questions = "example_tuning:Questions"

[project.entry-points."maxaillm.providers"]
counting = "example_tuning:Counting"
"""
COMPONENTS = '''\
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from maxaillm.dev.finetune.losses import TargetLoss, losses
from maxaillm.dev.finetune.metrics import AnswerMetric, metrics


@losses.register
class Doubled(TargetLoss):
    """Cross entropy, times a factor."""

    label: ClassVar[str] = "Doubled cross entropy"
    tasks: ClassVar[frozenset[str]] = frozenset({"causal_lm"})
    name: Literal["doubled"] = "doubled"
    factor: float = Field(2.0, gt=0, title="Factor", description="What the loss is times.")

    def total(self, logits, targets):
        from torch.nn.functional import cross_entropy

        return self.factor * cross_entropy(logits, targets, reduction="sum")


@metrics.register
class Loudness(AnswerMetric):
    """The share of answers with an exclamation mark."""

    label: ClassVar[str] = "Loudness"
    higher_is_better: ClassVar[bool] = True
    name: Literal["loudness"] = "loudness"

    def statistics(self, row):
        return np.array(["!" in row.answer, 1.0])

    def figure(self, sums):
        return float(sums[0] / sums[1])
'''
TUNING = '''\
import json
from collections import Counter
from pathlib import Path

from maxaillm.dev.finetune.base import DataProcessor, MaxFineTuningBase
from maxaillm.dev.finetune.data.reading.examples import read_examples


class Questions(DataProcessor):
    def preprocess_function(self, examples):
        texts = [f"Q: {q} A: {a}" for q, a in zip(examples["question"], examples["reply"])]
        made = self.tokenizer(texts, max_length=self.max_length, truncation=True)
        return {"input_ids": made["input_ids"], "labels": made["input_ids"]}


class Counting(MaxFineTuningBase):
    """Learns how often each answer is given."""

    def load(self):
        self.counts = Counter()

    def prepare_data(self, train_file=None, validation_file=None):
        return list(read_examples(train_file or self.config.data.train_file)), None

    def configure_model(self):
        return self.counts, None

    def train(self, model, tokenizer, train_dataset, eval_dataset=None, resume=None):
        self.attempt.emit("stage", name="train", total_steps=1)
        model.update(example.messages[-1].content for example in train_dataset)
        self.attempt.emit("log", 1, loss=1 / len(model), distinct_answers=len(model))
        self.attempt.emit("counted", 1, rows=len(train_dataset))
        return model

    def ending(self, trainer):
        return None, 1

    def evaluate(self, trainer=None):
        return {"answers": len(self.counts)}

    def save_model(self, trainer=None, path=None):
        folder = Path(path or self.attempt.folder.model)
        folder.mkdir()
        (folder / "counts.json").write_text(json.dumps(self.counts))
        self.attempt.emit("saved", folder=folder.name, size_bytes=1, kind="full")
        return folder
'''


MARK = "-- next --"
RUN_EACH = f"""
import sys
from pathlib import Path
from maxaillm.dev.finetune.__main__ import main

root = Path(sys.argv[1])
with (root / "statuses").open("w") as statuses:
    for name in sys.argv[2:]:
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


@pytest.mark.parametrize("provider", ["hugging_face", "counting"])
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
        fields = run_form_class()().everything()
        print(json.dumps({
            "form": " ".join(str(field) for field in fields),
            "schema": RunConfig.model_json_schema(),
            "heavy": [name for name in ("torch", "transformers") if name in sys.modules],
        }))
        """
    )
    done = python({**environment, "DJANGO_SETTINGS_MODULE": "tests.settings"}, "-c", show)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    for name in ("counting", "questions", "loudness"):
        assert name in seen["form"]
    for name in ("counting", "questions", "loudness", "doubled"):
        assert name in json.dumps(seen["schema"])
    assert not seen["heavy"]
