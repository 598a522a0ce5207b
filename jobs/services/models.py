"""Register models: base ones when a run first names them, tuned ones when they are saved."""

from __future__ import annotations

from math import prod
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ForeignObjectRel

from jobs.models import LanguageModel, Run
from jobs.services.names import model_name
from maxaillm.dev.finetune.estimate.about import read_shapes
from maxaillm.dev.finetune.model_files.folder import is_path
from maxaillm.dev.finetune.provider_options import Provider
from maxaillm.dev.finetune.run.events.kinds import SavedEvent
from maxaillm.starter import STARTER_MODELS

Kind = LanguageModel.Kind


def register_base(*, owner: User, name: str, provider: Provider) -> LanguageModel:
    """Write down a folder, a Hub name or another model of the provider's as a base model. It is its
    owner's: a folder for good, a name until the model has been there."""
    folder = provider.find_model(name)
    common = LanguageModel.objects.filter(owner=None, name=name).first()
    if common is not None and not is_path(name):
        return common
    model, _ = LanguageModel.objects.get_or_create(
        owner=owner,
        name=name,
        defaults={"kind": Kind.BASE, **(sizes_of(folder) if folder else {})},
    )
    return model


def share_base(model: LanguageModel | None) -> None:
    """Show everybody a base model by name that a run has opened, and so is there. What others have
    written down under that name becomes one with it."""
    if model is None or model.kind != Kind.BASE or model.owner_id is None or is_path(model.name):
        return
    same = LanguageModel.objects.filter(name=model.name, kind=Kind.BASE)
    with transaction.atomic():
        common = same.filter(owner=None).first()
        if common is None:
            same.filter(pk=model.pk).update(owner=None)
            common = model
        for other in same.exclude(pk=common.pk):
            take_over(other, common)


def take_over(old: LanguageModel, new: LanguageModel) -> None:
    """Have all that refers to `old` refer to `new`, then forget `old`."""
    for relation in LanguageModel._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel) or relation.related_model._meta.auto_created:
            continue
        field = relation.remote_field.name
        rows = relation.related_model._base_manager.filter(**{field: old})
        if relation.many_to_many:  # by `add`, for a row may refer to both
            for row in rows:
                getattr(row, field).add(new)
        else:
            rows.update(**{field: new})
    old.delete()


def sizes_of(folder: Path) -> dict[str, int]:
    """Bytes and parameters of a model's weights, by the headers of its files."""
    return {
        "size_bytes": sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        "parameters": sum(prod(shape) for shape in read_shapes(folder).values()),
    }


def register_tuned(*, run: Run, attempt: int, saved: SavedEvent) -> LanguageModel:
    """Write down the model that an attempt saved."""
    model, _ = LanguageModel.objects.update_or_create(
        run=run,
        defaults={
            "owner": run.owner,
            "name": model_name(run),
            "kind": saved.model_kind,
            "base": run.base_model,
            "attempt": attempt,
            "size_bytes": saved.size_bytes,
            "parameters": parameters_of(run, saved),
            "metrics": Run.objects.values_list("metrics", flat=True).get(pk=run.pk),
        },
    )
    return model


def parameters_of(run: Run, saved: SavedEvent) -> int:
    """Of what was saved, as the trainer has counted them: of an adapter, those it trained."""
    name = "trainable_parameters" if saved.model_kind == "adapter" else "total_parameters"
    phases = Run.objects.values_list("phases", flat=True).get(pk=run.pk)
    counts = [int(phase[name]) for phase in phases if phase.get(name)]
    return counts[-1] if counts else 0


def ensure_starters() -> None:
    """See that each starter model of the package is in the list."""
    for starter in STARTER_MODELS.values():
        if not (starter.path / "config.json").is_file():
            continue
        LanguageModel.objects.update_or_create(
            owner=None,
            name=starter.name,
            defaults={"kind": Kind.BASE, **sizes_of(starter.path)},
        )
