"""Trying again a run that has failed, in the way that fits the cause."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from django.contrib.auth.models import User

from jobs.models import Run, Status
from jobs.services.lifecycle.going_on import go_on, last_checkpoint
from jobs.services.lifecycle.later import follow_to
from jobs.services.resolve import resolve
from jobs.services.runs import illegal, save_run
from maxaillm.dev.finetune.config import RunConfig

Way = Literal["anew", "checkpoint", "smaller_batch"]
WAYS: tuple[Way, ...] = get_args(Way)
FIRM = frozenset(
    {"config", "model", "other_base", "unknown_name", "provider", "checkpoint", "export", "exit"}
)
"""Codes of errors that the same run would have again, whenever it was tried."""
OF_DATA = frozenset({"data"})


class Remedy(NamedTuple):
    """What fits the cause of a failure."""

    way: Way | Literal["dataset", "change"]
    """`dataset`, `change`: nothing to try again before a person has put it right there."""
    word: str
    about: str


def remedy_for(run: Run) -> Remedy:
    """What to do about a run that has failed or was stopped, by the code of its error."""
    code = (run.error or {}).get("code", "")
    if code == "out_of_memory" and (batch := smaller_batch(run.parsed_config)):
        size = batch.training.per_device_train_batch_size
        steps = batch.training.gradient_accumulation_steps
        about = f"{size} at once and {steps} batches a step: the same steps in less memory."
        return Remedy("smaller_batch", "Retry with a smaller batch", about)
    if code in OF_DATA:
        return Remedy("dataset", "Look at the dataset", "Put the rows right, then clone the run.")
    if code in FIRM or code == "out_of_memory":
        about = "The same again would fail the same way."
        return Remedy("change", "Change the configuration", about)
    return again(run, "Once there is room on the disk. " if code == "disk_full" else "")


def again(run: Run, first: str) -> Remedy:
    checkpoint = last_checkpoint(run)
    if checkpoint is None:
        return Remedy("anew", "Retry", f"{first}It has no checkpoint, so it begins anew.")
    about = f"{first}It goes on from step {checkpoint.step:,}, its last checkpoint."
    return Remedy("checkpoint", "Go on from the last checkpoint", about)


def smaller_batch(config: RunConfig) -> RunConfig | None:
    """Half the batch with twice the accumulation: the same steps. None where it is 1 already."""
    training = config.training
    size = training.per_device_train_batch_size
    if size < 2:
        return None
    more = -(-size * training.gradient_accumulation_steps // (size // 2))
    smaller = {"per_device_train_batch_size": size // 2, "gradient_accumulation_steps": more}
    changed = training.model_copy(update=smaller)
    return config.model_copy(update={"training": changed})


def retry_run(*, run: Run, by: User, way: Way | None = None) -> Run:
    """A new run that does what the old one was to do; `way`: None for what fits the cause.

    A finished run is only trained anew where that is asked for by name. Raises IllegalMoveError,
    and what `go_on` and `save_run` raise.
    """
    if not run.has_ended:
        raise illegal(run, "be tried again", "Wait for its end, or stop it.")
    if way is None and run.status == Status.SUCCEEDED:
        raise illegal(run, "be tried again", "Extend it, clone it, or ask for way=anew.")
    chosen = way or remedy_for(run).way
    if chosen == "checkpoint":
        return go_on(run=run, by=by, config=run.parsed_config)
    config = run.parsed_config
    if chosen == "smaller_batch":
        config = smaller_batch(config) or config
    resolved = resolve(config, by, version=run.dataset, model=run.base_model)
    new = save_run(resolved, by, copy_of=run)
    follow_to(run, new)
    return new
