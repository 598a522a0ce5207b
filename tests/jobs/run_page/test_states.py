"""Whatever happens to a run in whatever order, killed between any two statements: one truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.models import ACTIVE, ENDED, MOVES, Run, Status
from jobs.services import attempts, runs
from jobs.services.ingest import FencedError, record_events
from jobs.services.transitions import IllegalMoveError
from jobs.training.attempt_folder import recorded_checkpoint
from maxaillm.dev.finetune.run.events import Event
from tests.jobs.runs import STEPS, event, loss, losses_of, make_run

SAVED_EVERY = 2


class Killed(BaseException):
    """The process died just before a statement."""


class DiesAt:
    """Kills the process before its n-th statement. What is rolled back then may go on."""

    def __init__(self, statement: int) -> None:
        self.left = statement

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise Killed
        return execute(*args)


class Trainer:
    """Writes a journal as the engine does; attempts before the newest write nonsense."""

    def __init__(self, attempt: int, checkpoint: int) -> None:
        self.attempt, self.step, self.journal = (
            attempt,
            checkpoint,
            [event(1, "stage", name="load")],
        )
        if checkpoint:
            self.add("resumed", checkpoint, checkpoint=f"step-{checkpoint}")
        self.add("stage", name="train", total_steps=STEPS)

    def add(self, kind: Any, step: int | None = None, /, **data: Any) -> None:
        self.journal.append(event(len(self.journal) + 1, kind, step, **data))

    @property
    def has_ended(self) -> bool:
        return self.journal[-1].kind in {"succeeded", "stopped", "failed"}

    def work(self, stop: str) -> None:
        if self.has_ended:
            return
        if stop or self.step == STEPS:
            self.leave(stop)
            return
        self.step += 1
        self.add("log", self.step, loss=loss(self.step))
        if self.step % SAVED_EVERY == 0:
            self.add("checkpoint", self.step, folder=f"step-{self.step}")

    def leave(self, stop: str) -> None:
        if not stop:
            self.add("stage", name="save")
            self.add("saved", folder="model", size_bytes=1)
            self.add("succeeded", self.step, metrics={})
            return
        if stop in {"pause", "release"}:
            self.add("checkpoint", self.step, folder=f"step-{self.step}")
        self.add("stopped", self.step, action=stop, saved=stop != "cancel")

    @property
    def checkpoints(self) -> list[int]:
        return [e.step or 0 for e in self.journal if e.kind == "checkpoint"]


class RunStates(RuleBasedStateMachine):
    user: User

    @initialize()
    def create(self) -> None:
        self.pk = make_run(self.user).pk
        self.trainers: list[Trainer] = []
        self.ended: str | None = None

    @property
    def run(self) -> Run:
        return Run.objects.get(pk=self.pk)

    def survive(self, statement: int, act: Callable[[], object]) -> None:
        """Do something, killed before the n-th statement where there are so many."""
        try:
            with connection.execute_wrapper(DiesAt(statement)):
                act()
        except (Killed, FencedError, IllegalMoveError):
            pass

    deaths = st.integers(min_value=1, max_value=30)

    @rule(statement=deaths)
    def claim(self, statement: int) -> None:
        before = self.run
        self.survive(statement, lambda: attempts.claim(self.pk, worker="worker"))
        if self.run.attempt > before.attempt:
            saved = (step for trainer in self.trainers for step in trainer.checkpoints)
            done = max((step for step in saved if step <= recorded_checkpoint(before)), default=0)
            self.trainers.append(Trainer(self.run.attempt, done))

    @precondition(lambda self: self.trainers)
    @rule(data=st.data(), statement=deaths, may_release=st.booleans())
    def train(self, data: st.DataObject, statement: int, may_release: bool) -> None:
        """Any attempt that ever began goes on; the old ones are zombies."""
        trainer = data.draw(st.sampled_from(self.trainers))
        is_newest = trainer.attempt == self.run.attempt
        stop = (self.run.stop if is_newest else "") or ("release" if may_release else "")
        trainer.work(stop)
        journal = trainer.journal if is_newest else nonsense(trainer.journal)
        self.survive(statement, lambda: record_events(self.pk, trainer.attempt, journal))

    @precondition(lambda self: self.trainers)
    @rule(data=st.data(), statement=deaths, act=st.sampled_from([attempts.lose, attempts.release]))
    def end_attempt(self, data: st.DataObject, statement: int, act: Callable[..., bool]) -> None:
        trainer = data.draw(st.sampled_from(self.trainers))
        self.survive(statement, lambda: self.give_up(trainer, act))

    def give_up(self, trainer: Trainer, act: Callable[..., bool]) -> None:
        """As the product does it: what the attempt wrote down comes first."""
        is_newest = trainer.attempt == self.run.attempt
        journal = trainer.journal if is_newest else nonsense(trainer.journal)
        record_events(self.pk, trainer.attempt, journal)
        act(self.pk, trainer.attempt, by="watchdog", why="Killed.")

    @rule(statement=deaths, save=st.booleans())
    def cancel(self, statement: int, save: bool) -> None:
        self.survive(statement, lambda: runs.cancel_run(run=self.run, by=self.user, save=save))

    @rule(statement=deaths, act=st.sampled_from([runs.pause_run, runs.resume_run]))
    def pause_or_resume(self, statement: int, act: Callable[..., None]) -> None:
        self.survive(statement, lambda: act(run=self.run, by=self.user))

    @invariant()
    def states_form_a_chain(self) -> None:
        state = str(Status.QUEUED)
        for transition in self.run.transitions.order_by("pk"):
            assert transition.came_from == state
            assert transition.to in MOVES[Status(state)]
            state = transition.to
        assert self.run.status == state

    @invariant()
    def an_ended_run_stays_ended(self) -> None:
        assert self.ended in {None, self.run.status}
        if self.run.status in ENDED:
            self.ended = self.run.status

    @invariant()
    def only_true_values_are_kept(self) -> None:
        assert all(value == loss(step) for step, value in losses_of(self.run).items())

    @invariant()
    def numbers_are_given_once(self) -> None:
        seqs = list(self.run.events.values_list("seq", flat=True))
        assert len(set(seqs)) == len(seqs)
        assert max(seqs, default=0) <= self.run.last_seq

    def teardown(self) -> None:
        """Left alone, every run comes to an end, and one that succeeds has every step once."""
        if self.run.status == Status.PAUSED:
            runs.resume_run(run=self.run, by=self.user)
        if self.run.status in ACTIVE:
            self.give_up(self.trainers[-1], attempts.lose)
        if self.run.status == Status.QUEUED:
            self.claim(statement=0)
            while not self.trainers[-1].has_ended:
                self.trainers[-1].work("")
            record_events(self.pk, self.run.attempt, self.trainers[-1].journal)
        assert self.run.status in {*ENDED, Status.PAUSED}
        if self.run.status == Status.SUCCEEDED:
            assert sorted(losses_of(self.run)) == list(range(1, STEPS + 1))


def nonsense(journal: list[Event]) -> list[Event]:
    return [e.model_copy(update={"data": {**e.data, "loss": -1.0}}) for e in journal]


@pytest.mark.django_db
def test_every_order_of_events(alice: User) -> None:
    RunStates.user = alice
    run_state_machine_as_test(
        RunStates,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.generate],  # shrinking a failure took minutes and said little more
            suppress_health_check=list(HealthCheck),
        ),
    )
