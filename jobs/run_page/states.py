"""Runs' states in words, and what a user can do in each."""

from __future__ import annotations

from typing import NamedTuple

from jobs.models import ACTIVE, ENDED, Run, Status


class Look(NamedTuple):
    """How a state is shown: the badge's colour and its word."""

    badge: str
    word: str
    icon: str = ""


LOOKS: dict[Status, Look] = {
    Status.QUEUED: Look("", Status.QUEUED.label),
    Status.PAUSED: Look("note", Status.PAUSED.label, "pause"),
    Status.SUCCEEDED: Look("ok", Status.SUCCEEDED.label),
    Status.FAILED: Look("bad", Status.FAILED.label),
    Status.CANCELLED: Look("stopped", Status.CANCELLED.label),
} | {status: Look("active", status.label) for status in ACTIVE}
PHASES: dict[str, tuple[str, str]] = {
    "load": ("Load", "Loading"),
    "tokenise": ("Tokenise", "Tokenising"),
    "train": ("Train", "Training"),
    "evaluate": ("Evaluate", "Evaluating"),
    "save": ("Save", "Saving"),
}
"""The phases of a run in their order: as a step of the way, and as what goes on now."""


VERDICTS: dict[str, Look] = {
    "diverged": Look("bad", "Diverged"),
    "worse": Look("bad", "Worse than its base"),
    "learned_nothing": Look("warn", "Learned nothing"),
    "undecided": Look("", Status.SUCCEEDED.label, "done"),
    "unmeasured": Look("", Status.SUCCEEDED.label, "done"),
}
"""How a run that has ended is shown by its verdict; green only where it is better for sure."""


def look_of(run: Run) -> Look:
    if run.has_ended and run.verdict and run.verdict["code"] in VERDICTS:
        return VERDICTS[run.verdict["code"]]
    if run.status == Status.RUNNING and run.phase in PHASES:
        return Look("active", PHASES[run.phase][1])
    if run.status == Status.CANCELLED and hasattr(run, "model"):
        return Look("warn", "Stopped, saved", "save")
    return LOOKS[Status(run.status)]


class Action(NamedTuple):
    """Something a user can do with a run. `states` are those in which it makes sense."""

    verb: str
    word: str
    icon: str
    states: frozenset[str]
    kind: str = "plain"
    question: str = ""
    """Asked before it is done; {run} is the run."""

    @property
    def view(self) -> str:
        return f"jobs:run-{self.verb}"


WORKING = frozenset({Status.STARTING, Status.RUNNING})
ACTIONS = (
    Action("pause", "Pause", "pause", WORKING | {Status.QUEUED}),
    Action("resume", "Resume", "play", frozenset({Status.PAUSED}), kind="primary"),
    Action("save", "Stop and save", "save", WORKING),
    Action(
        "cancel",
        "Stop…",
        "stop",
        WORKING | {Status.QUEUED, Status.PAUSED, Status.PAUSING, Status.SAVING},
        kind="danger",
        question="Stop {run}? Its curves and its log stay, its model is lost.",
    ),
    Action(
        "delete",
        "Delete…",
        "trash",
        ENDED,
        kind="danger",
        question="Delete {run} with its checkpoints, its log and its tuned model? "
        "It can be taken back for seven days.",
    ),
)
"""In the order of the page: most likely first, destructive last."""


def actions_for(run: Run) -> list[Action]:
    named = str(run)
    return [
        action._replace(question=action.question.format(run=named))
        for action in ACTIONS
        if run.status in action.states
    ]
