"""Measurement of the base model: put off until a step was seen, with the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from maxaillm.dev.finetune.errors import DivergedError, NotFiniteError
from maxaillm.dev.finetune.hf.training.trainers.step import StepTrainer
from maxaillm.dev.finetune.run.torchrun import process_count

Kept = list[tuple[Tensor, Tensor]]


class BaseMeasurement:
    """Has the base model measured once: where its weights stay and what is trained can be put back
    for that, only after a step, so that the first one is not waited for."""

    def __init__(self) -> None:
        self.measure: Callable[[], None] | None = None
        self.began: Kept = []
        """What steps change, as it was before them; little, where an adapter is trained."""

    def begin(self, measure: Callable[[], None], trainer: StepTrainer) -> None:
        """Measure, or put it off."""
        self.measure = measure
        if trainer.method.keeps_base and process_count() == 1 and not trainer.is_sharded:
            self.began = copied(changed_by_steps(trainer.model))
        else:
            self.carry_out()

    def carry_out(self) -> None:
        """Measure, unless that is done. Model and chance are afterwards as they were."""
        measure, self.measure = self.measure, None
        if measure is None:
            return
        now = copied(tensor for tensor, _ in self.began)
        devices = {tensor.device for tensor, _ in self.began if tensor.is_cuda}
        put_back(self.began)
        try:
            with torch.random.fork_rng(devices):
                measure()
        finally:
            put_back(now)
            self.began = []

    @contextmanager
    def before_a_verdict(self) -> Iterator[None]:
        """A run that is lost within is judged beside its base, too."""
        try:
            yield
        except (NotFiniteError, DivergedError):
            self.carry_out()
            raise


def changed_by_steps(model: nn.Module) -> Iterator[Tensor]:
    """The weights that are trained, and the running statistics of normalisations."""
    yield from (weight for weight in model.parameters() if weight.requires_grad)
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            yield from module.buffers(recurse=False)


def copied(tensors: Iterable[Tensor]) -> Kept:
    """Each with its values, which take no memory of a GPU."""
    return [(tensor, tensor.detach().to("cpu", copy=True)) for tensor in tensors]


def put_back(kept: Kept) -> None:
    with torch.no_grad():
        for tensor, values in kept:
            tensor.copy_(values)
