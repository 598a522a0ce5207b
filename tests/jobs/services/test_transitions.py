"""A run changes its state along MOVES and in no other way."""

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from jobs.models import ENDED, MOVES, Run, Status
from jobs.services.transitions import move
from tests.jobs.runs import make_run, status_of


@pytest.mark.parametrize("to", Status)
@pytest.mark.parametrize("source", Status)
def test_every_pair_of_states(alice: User, source: Status, to: Status) -> None:
    run = make_run(alice, status=source)
    assert move(run.pk, to=to, by="alice") == (to in MOVES[source])
    assert status_of(run) == (to if to in MOVES[source] else source)
    assert run.transitions.count() == (to in MOVES[source])


def test_a_move_says_who_and_why(alice: User) -> None:
    run = make_run(alice)
    assert move(run.pk, to=Status.CANCELLED, by="alice", why="No longer needed.")
    (noted,) = run.transitions.all()
    assert (noted.came_from, noted.to, noted.by) == ("queued", "cancelled", "alice")
    assert noted.why == "No longer needed."


def test_a_late_attempt_moves_nothing(alice: User) -> None:
    run = make_run(alice, status=Status.RUNNING, attempt=2)
    assert not move(run.pk, to=Status.SAVING, attempt=1, by="trainer")
    assert status_of(run) == Status.RUNNING


@pytest.mark.parametrize("ended", sorted(ENDED))
def test_the_database_keeps_ended_runs_ended(alice: User, ended: Status) -> None:
    run = make_run(alice, status=ended)
    with pytest.raises(IntegrityError, match="stays ended"), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(status=Status.QUEUED)
    Run.objects.filter(pk=run.pk).update(status=ended, name="renamed")


def test_the_database_knows_the_states(alice: User) -> None:
    run = make_run(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(status="lost")
