"""Names of runs and of the models that they make, so that two of them can be told apart."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from django.contrib.auth.models import User
from django.db.models import Q

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.config import RunConfig


def run_name(
    config: RunConfig, owner: User, version: DatasetVersion, copy_of: Run | None = None
) -> str:
    """What the user typed; where that is nothing, or still the name of the run that was copied,
    one that no run of `owner` has."""
    if config.name and not (copy_of and config.name == copy_of.name):
        return config.name
    wanted = config.name or f"{version.dataset.name[:80]} {config.tuning.name}"
    return numbered(wanted, Run.objects.filter(owner=owner).values_list("name", flat=True))


def model_name(run: Run) -> str:
    """The run's name, numbered where another model of its owner's, or of everybody's, has it."""
    others = LanguageModel.objects.filter(Q(owner=run.owner) | Q(owner=None)).exclude(run=run)
    return numbered(run.name, others.values_list("name", flat=True))


def numbered(name: str, taken: Iterable[str]) -> str:
    """`name`, else the first of "name 2", "name 3" … that is not taken."""
    known = set(taken)
    candidates = (name if number == 1 else f"{name} {number}" for number in count(1))
    return next(candidate for candidate in candidates if candidate not in known)
