"""What a run would do, beside its form: memory, steps, time, and what should be put right."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib.auth.models import User

from datasets_app.models import DatasetVersion
from jobs.forms import RunForms
from jobs.services.runs import ready_version
from maxaillm.dev.finetune.config import RunConfig


class Preview(NamedTuple):
    missing: list[str]
    """Fields that must be put right before the run can start."""
    config: RunConfig | None = None
    version: DatasetVersion | None = None

    @property
    def effective_batch(self) -> int:
        if self.config is None:
            return 0
        training = self.config.training
        return training.per_device_train_batch_size * training.gradient_accumulation_steps


def preview(forms: RunForms, user: User) -> Preview:
    """Estimates what the form says; of a form with mistakes, only what they are."""
    if not forms.is_valid() or forms.missing:
        return Preview(missing=forms.missing)
    return Preview([], forms.config, ready_version(user, forms.config))
