"""Register models: base ones when a run first names them, tuned ones when they are saved."""

from __future__ import annotations

from math import prod
from pathlib import Path

from django.contrib.auth.models import User

from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.estimate import read_shapes
from maxaillm.dev.finetune.model_files.folder import is_path
from maxaillm.dev.finetune.provider_options import Provider
from maxaillm.dev.finetune.run.events.kinds import SavedEvent
from maxaillm.starter import STARTER_MODELS

Kind = LanguageModel.Kind


def register_base(*, owner: User, name: str, provider: Provider) -> LanguageModel:
    """Write down a folder, a Hub name or another model of the provider's as a base model; a folder
    is its owner's alone."""
    folder = provider.find_model(name)
    model, _ = LanguageModel.objects.get_or_create(
        owner=owner if is_path(name) else None,
        name=name,
        defaults={"kind": Kind.BASE, **(sizes_of(folder) if folder else {})},
    )
    return model


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
            "name": f"{run.name} #{run.pk}",
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
