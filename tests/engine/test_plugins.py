"""A package with a provider, a loss, a metric and a data processor of its own, installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from maxaillm.dev.finetune.events import Event, JournalReader
from tests import tiny

ROOT = Path(__file__).parents[2]
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
from maxaillm.dev.finetune.examples import read_examples


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
        self.attempt.tell("stage", name="train", total_steps=1)
        model.update(example.messages[-1].content for example in train_dataset)
        self.attempt.tell("log", 1, loss=1 / len(model))
        return model

    def ending(self, trainer):
        return None, 1

    def evaluate(self, trainer=None):
        return {"answers": len(self.counts)}

    def save_model(self, trainer=None, path=None):
        folder = Path(path or self.attempt.folder.model)
        folder.mkdir()
        (folder / "counts.json").write_text(json.dumps(self.counts))
        self.attempt.tell("saved", folder=folder.name, size_bytes=1, kind="full")
        return folder
'''


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


def train(environment: dict[str, str], folder: Path, config: dict[str, Any]) -> list[Event]:
    """The journal of a run that the command carried out."""
    file = folder / "run.json"
    file.write_text(json.dumps(config))
    command = ["-m", "maxaillm.dev.finetune", "train", str(file), "--folder", str(folder / "run")]
    done = python(environment, *command)
    assert done.returncode == 0, done.stderr
    return list(JournalReader(folder / "run/events.jsonl").read())


@pytest.mark.parametrize("provider", ["hugging_face", "counting"])
def test_every_provider_keeps_the_same_journal(
    provider: str, environment: dict[str, str], tmp_path: Path
) -> None:
    model = tiny.make_llama(tmp_path / "model")
    data = tiny.write_lines(tmp_path / "data.jsonl", tiny.conversations(12))
    config = tiny.run_config(model, data, provider=provider, training={"max_steps": 1})
    events = train(environment, tmp_path, config)
    stages = [str(event.data["name"]) for event in events if event.kind == "stage"]
    assert stages[0] == "load"
    assert stages.index("train") < stages.index("save")
    assert [event.kind for event in events][-2:] == ["saved", "succeeded"]
    assert any(event.kind == "log" for event in events)
    saved = next(event.data["folder"] for event in events if event.kind == "saved")
    assert any((tmp_path / "run" / str(saved)).iterdir())


def test_a_loss_a_metric_and_a_processor_of_the_package_are_used(
    environment: dict[str, str], tmp_path: Path
) -> None:
    model = tiny.make_llama(tmp_path / "model")
    rows = [{"question": f"What {n}?", "reply": f"It is {n}."} for n in range(12)]
    config = tiny.run_config(
        model,
        tiny.write_lines(tmp_path / "data.jsonl", rows),
        data={"processor": "questions", "validation_share": 0.25},
        training={"max_steps": 1, "loss": {"name": "doubled", "factor": 3}},
        evaluation={"metrics": ["loudness", "perplexity"]},
    )
    tripled = train(environment, tmp_path, config)
    config["training"]["loss"] = {"name": "cross_entropy"}
    (tmp_path / "plain").mkdir()
    plain = train(environment, tmp_path / "plain", config)
    first, second = (
        next(event.data["loss"] for event in events if event.kind == "log")
        for events in (tripled, plain)
    )
    assert first == pytest.approx(3 * float(str(second)), rel=1e-5)
    assert any("perplexity" in event.data for event in tripled if event.kind == "eval")


def test_form_and_api_offer_what_the_package_brings(environment: dict[str, str]) -> None:
    show = textwrap.dedent(
        """
        import django; django.setup()
        from django.test import Client
        from jobs.forms import run_form_class
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


def test_a_processor_that_fails_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    model = tiny.make_llama(tmp_path / "model")
    data = tiny.write_lines(tmp_path / "data.jsonl", tiny.conversations(4))
    file = tmp_path / "run.json"
    file.write_text(json.dumps(tiny.run_config(model, data, data={"processor": "questions"})))
    done = python(
        environment,
        "-m",
        "maxaillm.dev.finetune",
        "train",
        str(file),
        "--folder",
        str(tmp_path / "run"),
        "--json",
    )
    assert done.returncode == 3
    assert "Questions failed" in done.stderr
    assert "messages" in done.stderr
