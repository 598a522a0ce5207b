"""Extending a run that has ended: by epochs or by steps, with its optimizer, rows and schedule
going on; and what becomes of its learning rate, said before."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.auth.models import User

from jobs.models import Run, Status
from jobs.services.lifecycle.going_on import NoCheckpointError, go_on, last_checkpoint
from jobs.services.runs import illegal
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.schedule import rate_share
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.run.events.kinds import LogEvent

MOST_EPOCHS, MOST_STEPS = 1000, 10_000_000
LITTLE = 1e-3
"""Learning rates that differ by a smaller part are the same."""


class Extension(NamedTuple):
    """What an extension would do."""

    config: RunConfig
    step: int
    """Of the checkpoint that it goes on from."""
    steps: int
    """In all."""
    rate_before: float
    """Of the step at which the old run stood."""
    rate: float
    """Of the first step of the extension."""
    rate_at_end: float
    stops_no_more: bool
    """Whether early stopping, which has ended the old run, is off."""

    @property
    def about_rate(self) -> str:
        """What becomes of the learning rate, in a sentence or two."""
        now, before = f"{self.rate:.2g}", f"{self.rate_before:.2g}"
        end = f"{self.rate_at_end:.2g}"
        if abs(self.rate - self.rate_before) <= LITTLE * max(self.rate, self.rate_before):
            return f"The learning rate goes on at {now} and ends at {end}."
        return (
            f"The schedule is stretched over all {self.steps:,} steps: the learning rate, which "
            f"stood at {before}, goes on at {now}, as in a run of that length, and ends at {end}."
        )


def steps_an_epoch(run: Run) -> float | None:
    """By what was logged last; None where nothing was."""
    rows = run.events.filter(kind=LogEvent.kind, step__gt=0).order_by("-step")[:1]
    for row in rows:
        if epoch := row.payload.numbers().get("epoch"):
            return (row.step or 0) / epoch
    return None


def plan(
    run: Run,
    *,
    num_train_epochs: float | None = None,
    max_steps: int | None = None,
    epochs: float | None = None,
    steps: int | None = None,
) -> Extension:
    """The extension to a length in all (`num_train_epochs`, `max_steps`), or by so much more
    (`epochs`, `steps`) than the run has; just one of them.

    Raises IllegalMoveError, NoCheckpointError, and ConfigError for a length that is no longer.
    """
    if not run.has_ended:
        raise illegal(run, "be extended", "Wait for its end, or stop it.")
    if (checkpoint := last_checkpoint(run)) is None:
        raise NoCheckpointError(run)
    step = checkpoint.step
    an_epoch = steps_an_epoch(run)
    length: dict[str, float | None] = {"num_train_epochs": num_train_epochs, "max_steps": max_steps}
    if steps is not None:
        length["max_steps"] = step + steps
    elif epochs is not None:
        done = round(step / an_epoch, 6) if an_epoch else run.epochs or 0.0
        length["num_train_epochs"] = done + epochs
    given = [(path, value) for path, value in length.items() if value]
    path, value = given[0] if given else ("num_train_epochs", 0.0)
    most = MOST_STEPS if path == "max_steps" else MOST_EPOCHS
    total = steps_of(path, value, an_epoch)
    if not value or value > most or total <= step:
        done_so_far = step if path == "max_steps" or not an_epoch else step / an_epoch
        message = f"Run {run.pk} is at {done_so_far:,.4g} already: it is extended to more."
        allowed = f"above {done_so_far:,.4g}, at most {most:,}"
        raise ConfigError([Problem(path, message, value, allowed)])
    return extension(run, path, value, step, total)


def steps_of(path: str, value: float, an_epoch: float | None) -> int:
    if path == "max_steps":
        return int(value)
    return -int(-(value * (an_epoch or 1.0) - 1e-6) // 1)


def extension(run: Run, path: str, value: float, step: int, total: int) -> Extension:
    had = run.parsed_config
    stopped_early = (
        run.status == Status.SUCCEEDED
        and bool(had.training.early_stopping_patience)
        and run.step < run.total_steps
    )
    longer: dict[str, Any] = {"num_train_epochs": None, "max_steps": None, path: value}
    if stopped_early:
        longer["early_stopping_patience"] = None
    training = had.training.model_dump(mode="json") | longer
    config = RunConfig.parse(had.model_dump(mode="json") | {"training": training})
    rate = had.learning_rate
    return Extension(
        config=config,
        step=step,
        steps=total,
        rate_before=rate * rate_share(had.training, step, max(run.total_steps, step)),
        rate=rate * rate_share(config.training, step, total),
        rate_at_end=rate * rate_share(config.training, total, total),
        stops_no_more=stopped_early,
    )


def extend_run(*, run: Run, by: User, asked: Extension) -> Run:
    """A new run that goes on from the last checkpoint to the length of `asked`."""
    return go_on(run=run, by=by, config=asked.config)
