"""What can follow on a run that has ended: its remedy, extending it, its model on other data."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from jobs.models import Run, Status
from jobs.services.lifecycle.extension import Extension, plan, steps_an_epoch
from jobs.services.lifecycle.going_on import last_checkpoint
from jobs.services.lifecycle.retry import Remedy, remedy_for
from maxaillm.dev.finetune.errors import FineTuneError


class ExtendForm(NamedTuple):
    """The form Extend as it is filled in, and what it would do."""

    amount: str
    unit: str
    """epochs or steps."""
    asked: Extension | None
    mistake: str


class NextPanel(NamedTuple):
    """None of a part that makes no sense for the run."""

    remedy: Remedy | None
    remedy_url: str
    """Where a remedy lies that is no retry."""
    extend: ExtendForm | None
    further_url: str
    """The form of a run on this one's model."""


def next_panel(run: Run) -> NextPanel | None:
    """None for a run that has not ended."""
    if not run.has_ended:
        return None
    diverged = bool(run.verdict and run.verdict["code"] == "diverged")
    has_failed = run.status in {Status.FAILED, Status.CANCELLED}
    remedy = remedy_for(run) if has_failed and not diverged else None
    new = reverse("jobs:run-new")
    may_further = (
        run.kept_model is not None and run.parsed_config.tuning.makes_whole and not diverged
    )
    further = urlencode({"clone": run.pk, "model": run.model.pk}) if may_further else ""
    return NextPanel(
        remedy=remedy,
        remedy_url=remedy_url(run, remedy) if remedy else "",
        extend=extend_form(run) if may_extend(run) and not diverged else None,
        further_url=f"{new}?{further}" if further else "",
    )


def remedy_url(run: Run, remedy: Remedy) -> str:
    if remedy.way == "dataset" and run.dataset is not None:
        return run.dataset.dataset.get_absolute_url()
    return f"{reverse('jobs:run-new')}?{urlencode({'clone': run.pk})}"


def may_extend(run: Run) -> bool:
    return run.status in {Status.SUCCEEDED, Status.CANCELLED} and last_checkpoint(run) is not None


def extend_form(run: Run, amount: str = "", unit: str = "") -> ExtendForm:
    """As asked for; at first what a stopped run lacks, else one epoch more."""
    unit = unit if unit in {"epochs", "steps"} else default_unit(run)
    amount = amount.strip() or default_amount(run, unit)
    try:
        return ExtendForm(amount, unit, asked_for(run, amount, unit), "")
    except FineTuneError as error:
        return ExtendForm(amount, unit, None, error.message.partition(": ")[2] or error.message)


def asked_for(run: Run, amount: str, unit: str) -> Extension:
    """Raises FineTuneError."""
    try:
        if unit == "steps":
            return plan(run, steps=int(amount))
        return plan(run, epochs=float(amount))
    except (ValueError, OverflowError):
        example = "20" if unit == "steps" else "1.5"
        raise FineTuneError(
            f"“{amount[:20]}” is no number of {unit}.", f"Type one, such as {example}."
        ) from None


def default_unit(run: Run) -> str:
    left = run.step < run.total_steps or run.config.get("training", {}).get("max_steps")
    return "steps" if left or not steps_an_epoch(run) else "epochs"


def default_amount(run: Run, unit: str) -> str:
    if unit == "epochs":
        return "1"
    checkpoint = last_checkpoint(run)
    left = run.total_steps - (checkpoint.step if checkpoint else 0)
    return str(left if left > 0 else max(1, run.total_steps))
