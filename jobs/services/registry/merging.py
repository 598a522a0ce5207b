"""Merges of adapters: asked for, and written down as a new model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction

from jobs.models import AdapterMerge, EngineJob, LanguageModel
from jobs.services.engine_jobs import MAX_WAITING, TooManyError, engine_job
from jobs.services.names import numbered
from jobs.services.registry.labels import require_free
from maxaillm.dev.finetune.components.names import plain_name
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.exports.shared.merging import DENSITY, MERGES
from maxft_site.web.enqueue import enqueue_on_commit

S = EngineJob.Status
MOST_PARTS, MOST_WEIGHT = 8, 10.0


class Part(NamedTuple):
    model: LanguageModel
    weight: float


class Recipe(NamedTuple):
    """How adapters are to be merged."""

    method: str
    density: float | None = None

    @property
    def kept(self) -> float | None:
        """The density, where the method has one."""
        drops = self.method in MERGES and MERGES[self.method].drops
        return (DENSITY if self.density is None else self.density) if drops else None


@transaction.atomic
def order_merge(*, owner: User, name: str, recipe: Recipe, parts: Sequence[Part]) -> AdapterMerge:
    """Queue a merge. Raises ConfigError with every mistake, LabelError for a name that is taken."""
    plain = plain_name(name)[:200]
    if problems := [*mistakes_in(plain, recipe), *mistakes_of(parts)]:
        raise ConfigError(problems)
    require_free(plain, owner.pk)
    User.objects.select_for_update().get(pk=owner.pk)
    waiting = AdapterMerge.objects.visible_to(owner).filter(status__in=[S.QUEUED, S.RUNNING])
    if waiting.count() >= MAX_WAITING:
        raise TooManyError(f"{MAX_WAITING} merges of yours have not ended.", "Wait for one.")
    merge = AdapterMerge.objects.create(
        owner=owner,
        name=plain,
        method=recipe.method,
        density=recipe.kept,
        parts=[{"model": p.model.pk, "name": p.model.name, "weight": p.weight} for p in parts],
    )
    enqueue_on_commit(engine_job(merge))
    return merge


def mistakes_in(name: str, recipe: Recipe) -> Iterator[Problem]:
    if not name:
        yield Problem("name", "The new model needs a name.", name, "1 to 200 characters")
    if recipe.method not in MERGES:
        message = "There is no such way to merge."
        yield Problem("method", message, recipe.method[:40], ", ".join(MERGES))
    density = recipe.kept
    if density is not None and not 0 < density <= 1:
        yield Problem("density", "It is a share of the entries.", density, "above 0, at most 1")


def mistakes_of(parts: Sequence[Part]) -> Iterator[Problem]:
    adapters = [part.model for part in parts]
    if not 2 <= len({model.pk for model in adapters}) == len(adapters) <= MOST_PARTS:
        message = "A merge is made of different adapters."
        yield Problem("parts", message, len(parts), f"2 to {MOST_PARTS}")
    if odd := [model.name for model in adapters if model.kind != LanguageModel.Kind.ADAPTER]:
        yield Problem("parts", f"{odd[0]} is no adapter.", odd[0], "adapters")
    elif len({model.base_id for model in adapters}) > 1:
        names = ", ".join(dict.fromkeys(str(model.base) for model in adapters))
        yield Problem("parts", "They lie on different bases.", names, "adapters of one base")
    elif any(model.base and model.base.kind == LanguageModel.Kind.ADAPTER for model in adapters):
        message = "They were tuned from an adapter, each on a whole of its own."
        yield Problem("parts", message, None, "adapters that lie on a base model")
    weights = [part.weight for part in parts]
    if any(not isfinite(weight) or abs(weight) > MOST_WEIGHT for weight in weights):
        message, allowed = "A weight is a number.", f"-{MOST_WEIGHT:g} to {MOST_WEIGHT:g}"
        yield Problem("parts", message, None, allowed)
    elif not any(weights):
        yield Problem("parts", "Nothing counts: all weights are 0.", 0, "a weight that is not 0")


def parts_of(merge: AdapterMerge) -> list[Part]:
    """As far as they are still there."""
    models = LanguageModel.objects.in_bulk([part["model"] for part in merge.parts])
    return [
        Part(models[part["model"]], part["weight"])
        for part in merge.parts
        if part["model"] in models and models[part["model"]].purged is None
    ]


def register_merged(merge: AdapterMerge, written: Path, found: dict[str, Any]) -> LanguageModel:
    """Move what was written to its place, and write it down as a model of the merge's owner."""
    first = parts_of(merge)[0].model
    with transaction.atomic():
        taken = LanguageModel.objects.filter(owner=merge.owner).values_list("name", flat=True)
        model = LanguageModel.objects.create(
            owner=merge.owner,
            name=numbered(merge.name, taken),
            kind=LanguageModel.Kind.ADAPTER,
            base=first.base,
            folder=uuid4(),
            made_by={"method": merge.method, "density": merge.density, "parts": merge.parts},
            size_bytes=found["size_bytes"],
            parameters=found["parameters"],
        )
        model.own_folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written.rename(model.own_folder)
    return model
