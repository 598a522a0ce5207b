"""Preview of a run before it is started: memory, steps, time, and what to put right."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from pydantic import JsonValue

from datasets_app.models import DatasetVersion
from jobs.run_form.findings import (
    Finding,
    export_findings,
    findings_of,
    tracker_findings,
)
from jobs.run_form.machine import machine
from jobs.run_form.mistakes import Missing
from jobs.services.registry.exporting import refused_after
from jobs.services.resolve import Resolved
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.estimate import Estimate, estimate

MEMORY_PARTS = {
    "weights": "Weights",
    "activations": "Activations",
    "optimizer": "Optimiser",
    "gradients": "Gradients",
}


class MeterPart(NamedTuple):
    """A piece of the memory bar; `x` and `width` in percent of its length."""

    word: str
    size_bytes: int
    x: str
    width: str


class Meter(NamedTuple):
    """What is needed, part by part, against what the machine has."""

    parts: list[MeterPart]
    limit_x: str
    needed_x: str
    over_bytes: int


class Preview(NamedTuple):
    """`missing` names the fields that must be put right before the run can start."""

    missing: list[Missing]
    config: RunConfig | None = None
    version: DatasetVersion | None = None
    estimate: Estimate | None = None
    findings: tuple[Finding, ...] = ()
    disk_free: int = 0
    error: FineTuneError | None = None
    """Why there is no estimate."""

    @property
    def effective_batch(self) -> int:
        training = self.config.training if self.config else None
        if training is None:
            return 0
        return training.per_device_train_batch_size * training.gradient_accumulation_steps

    @property
    def learning_rate(self) -> float:
        """Of a model that is not here, without its size."""
        if self.estimate:
            return self.estimate.learning_rate
        return self.config.learning_rate if self.config else 0.0

    @property
    def training_rows(self) -> int:
        """As far as is known: of a model that is not here, all rows that there are."""
        if self.estimate:
            return self.estimate.training_rows
        return self.version.rows if self.version else 0

    @property
    def evaluates(self) -> str:
        """When the held-out rows are measured, besides before and after."""
        if self.estimate is None or self.config is None or not self.estimate.validation_rows:
            return "never"
        training, steps = self.config.training, self.estimate.steps
        return interval_words(training.eval_strategy, training.intervals(steps).evaluation, steps)

    @property
    def saves(self) -> str:
        """When checkpoints are written; one at the end always is."""
        if self.estimate is None or self.config is None:
            return ""
        training, steps = self.config.training, self.estimate.steps
        return interval_words(training.save_strategy, training.intervals(steps).saving, steps)

    @property
    def meter(self) -> Meter | None:
        return meter(self.estimate) if self.estimate else None

    @property
    def trained_share(self) -> float:
        if self.estimate is None or not self.estimate.total_parameters:
            return 0.0
        return self.estimate.trainable_parameters / self.estimate.total_parameters


def preview_run(resolved: Resolved) -> Preview:
    """What a run of this configuration would need; why not, where that can't be known."""
    config = resolved.for_estimate()
    kept = Path(settings.DATA_DIR) / "cache"  # of the trainers, who note there what runs took
    now = machine()
    shown = Preview([], resolved.config, resolved.version, disk_free=now.disk_total - now.disk_used)
    try:
        found = estimate(config, kept)
    except FineTuneError as error:
        return shown._replace(error=error, findings=tuple(tracker_findings(config)))
    findings = findings_of(config, found, shown.disk_free)
    findings += export_findings(refused_after(resolved))
    return shown._replace(estimate=found, findings=tuple(findings))


def interval_words(strategy: str, every: int, steps: int) -> str:
    if strategy == "epoch":
        return "after each epoch"
    if strategy == "no" or every >= steps:
        return "at the end"
    return f"every {every:,} steps" if every > 1 else "after each step"


def meter(found: Estimate) -> Meter:
    """The bar spans what is needed or what there is, whichever is more, and a little."""
    needed, there = found.memory_bytes.total, found.available_bytes
    length = 1.06 * max(needed, there)
    sizes = {word: getattr(found.memory_bytes, name) for name, word in MEMORY_PARTS.items()}
    sizes["Libraries and reserve"] = max(0, needed - sum(sizes.values()))
    parts, x = [], 0.0
    for word, size in sizes.items():
        width = 100 * size / length
        parts.append(MeterPart(word, size, f"{x:.2f}%", f"{width:.2f}%"))
        x += width
    over = max(0, needed - there)
    return Meter(parts, f"{100 * there / length:.2f}%", f"{100 * needed / length:.2f}%", over)


def as_json(preview: Preview) -> dict[str, JsonValue]:
    """The API's answer. Figures that can't be known are null; a finding says why."""
    if preview.estimate is not None:
        figures: dict[str, Any] = preview.estimate.as_json()
        return figures | {"findings": [finding.as_json() for finding in preview.findings]}
    unknown: dict[str, JsonValue] = dict.fromkeys(Estimate._fields)
    error = preview.error.as_json() if preview.error else {}
    findings: list[JsonValue] = [{"level": "warn", **error}]
    return unknown | {"findings": findings + [found.as_json() for found in preview.findings]}
