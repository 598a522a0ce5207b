"""Distributed training: who this process is, what all agree upon, how gradients are summed.

Each computes its share of a batch; gradients are summed once a step. That is done here and not
by torch's DistributedDataParallel: a step may be computed in as many pieces as a process needs,
parameters may be unused, and the loss may use weights outside of the model's `forward`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import get_args

import torch
from pydantic import JsonValue
from torch import Tensor, distributed, nn

from maxaillm.dev.finetune.errors import FineTuneError, ProcessLostError
from maxaillm.dev.finetune.run.folder import StopAction
from maxaillm.dev.finetune.run.torchrun import process_count, rank

Scores = dict[str, JsonValue]
PATIENCE = timedelta(days=1)
"""One process may evaluate or save for long while others wait; a dead one is noticed at once."""
BUCKET_VALUES = 2**23
"""Gradients sent together: enough to fill the line, little beside the model."""
ACTIONS: tuple[StopAction | None, ...] = (None, *get_args(StopAction))


def join(device: torch.device) -> None:
    """Meet the other processes of the run, if there are any; on CPUs they meet by gloo, on GPUs
    by nccl, and about decisions by gloo always. Raises FineTuneError where nobody says how."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if process_count() > 1 and not distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        try:
            distributed.init_process_group(backend, timeout=PATIENCE)
        except ValueError as error:  # the environment does not say who is who
            raise FineTuneError(
                f"{process_count()} processes were started, and not told how they meet: {error}",
                "Start the run by its own command with training.devices, or by torchrun.",
            ) from None


@contextmanager
def peers_needed() -> Iterator[None]:
    """Turn what a dead peer causes into ProcessLostError."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLostError(
            "Another process of the run has ended: this one can't go on alone.",
            "The log has its last words. Most often its memory did not suffice.",
        ) from error


def wait() -> None:
    """Until all processes have come here."""
    if process_count() > 1:
        with peers_needed():
            distributed.all_reduce(torch.zeros(1))


def total(value: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    if process_count() > 1:
        with peers_needed():
            distributed.all_reduce(value)
    return value


def agreed(value: float) -> float:
    """What the first process says: decisions that hang on it are then the same in all."""
    if process_count() == 1:
        return value
    said = torch.tensor([value], dtype=torch.float64)
    with peers_needed():
        distributed.broadcast(said, 0)
    return float(said)


def agreed_scores(scores: Scores) -> Scores:
    """The first process's figures: the others' may differ in the last digits."""
    return {
        name: agreed(value) if isinstance(value, float) else value for name, value in scores.items()
    }


def agreed_action(action: StopAction | None) -> StopAction | None:
    """What the run is asked to do: the first process says it, and any may have had a signal."""
    if process_count() == 1:
        return action
    heard = torch.zeros(2, dtype=torch.int64)
    heard[int(rank() > 0)] = ACTIONS.index(action)
    with peers_needed():
        distributed.all_reduce(heard, distributed.ReduceOp.MAX)
    return ACTIONS[int(heard[0]) or int(heard[1])]


def begin_alike(model: nn.Module) -> None:
    """Give all processes the first one's weights; those that aren't trained come from a file."""
    if process_count() > 1:
        with peers_needed():
            for parameter in trained(model):
                distributed.broadcast(parameter.data, 0)


def sum_gradients(model: nn.Module) -> None:
    """Add up the gradients of all processes. What nobody has used keeps none."""
    if process_count() == 1:
        return
    parameters = trained(model)
    used = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.int32)
    with peers_needed():
        distributed.all_reduce(used)
        for parameter, users in zip(parameters, used.tolist(), strict=True):
            if users and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in parameters if p.grad is not None]
        for bucket in buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            distributed.all_reduce(flat)
            parts = torch.split(flat, [gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))


def buckets(gradients: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one kind in order, so many together that a message is worth its way."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        if bucket and (size >= BUCKET_VALUES or bucket[0].dtype != gradient.dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel()
    if bucket:
        yield bucket


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
