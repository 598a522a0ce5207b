"""The source of a package that brings providers, a loss, a metric and a data processor."""

from __future__ import annotations

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
remote = "example_tuning:Remote"
unfinished = "example_tuning:Unfinished"

[project.entry-points."maxaillm.provider_options"]
remote = "example_components:RemoteOptions"
"""
COMPONENTS = '''\
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from maxaillm.dev.finetune.losses import TargetLoss, losses
from maxaillm.dev.finetune.metrics import AnswerMetric, metrics
from maxaillm.dev.finetune.provider_options import Provider, Secret, providers


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


@providers.register
class RemoteOptions(Provider):
    """Counts for whoever has a key."""

    label: ClassVar[str] = "Remote"
    secrets: ClassVar[tuple[Secret, ...]] = (Secret("EXAMPLE_API_KEY", "names the account"),)
    tasks: ClassVar[frozenset[str]] = frozenset({"causal_lm"})
    methods: ClassVar[frozenset[str] | None] = frozenset()
    local_models: ClassVar[bool] = False
    devices: ClassVar[frozenset[str]] = frozenset()

    name: Literal["remote"] = "remote"
    suffix: str = Field("", max_length=18, title="Suffix", description="Ends the model's name.")
'''
TUNING = '''\
import json
import os
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


class Remote(Counting):
    def evaluate(self, trainer=None):
        signed = len(os.environ["EXAMPLE_API_KEY"])
        return {"signed": signed, "suffix": self.config.provider.suffix}


class Unfinished(MaxFineTuningBase):
    """Learns nothing yet."""

    def load(self):
        """Nothing to open."""
'''
