"""Names of runs and of the models that they make, so that two of them can be told apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count

from django.contrib.auth.models import User
from django.db.models import Q

from datasets_app.models import DatasetVersion
from jobs.models import LanguageModel, ModelAlias, Run
from maxaillm.dev.finetune.config import RunConfig

NUMBER = re.compile(r" \d+$")


def run_name(config: RunConfig, owner: User, version: DatasetVersion) -> str:
    """What the user typed, else data and method; numbered where a run of `owner` has the name."""
    wanted = config.name or f"{version.dataset.name[:80]} {config.tuning.name}"
    return numbered(wanted, Run.objects.filter(owner=owner).values_list("name", flat=True))


def model_name(run: Run) -> str:
    """The run's name, numbered where another model of its owner's, or of everybody's, has it, or
    where it is an alias."""
    others = LanguageModel.objects.filter(Q(owner=run.owner) | Q(owner=None)).exclude(run=run)
    aliases = ModelAlias.objects.filter(owner=run.owner).values_list("name", flat=True)
    return numbered(run.name, [*others.values_list("name", flat=True), *aliases])


def family_of(name: str) -> str:
    """The name of a family of models: what their runs are called, less the number that is put
    behind a name that is taken. "support", "support 2" and "support 3" are of the family "support".
    """
    return NUMBER.sub("", name)


def numbered(name: str, taken: Iterable[str]) -> str:
    """`name`, else the first of "name 2", "name 3" … that is not taken; a copy of "name 2" is
    numbered as one of "name"."""
    known = set(taken)
    if name not in known:
        return name
    stem = NUMBER.sub("", name)
    stem = stem if stem in known else name
    return next(made for number in count(2) if (made := f"{stem} {number}") not in known)
