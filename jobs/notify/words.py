"""Words of a notice for people: what happened to which run, and where to look."""

from __future__ import annotations

from typing import NamedTuple

from jobs.models import Notice, Occasion, Run

TITLES = {
    Occasion.FINISHED: "{name} finished",
    Occasion.FAILED: "{name} failed",
    Occasion.DIVERGED: "{name} diverged",
    Occasion.STOPPED: "{name} was stopped",
    Occasion.NEEDS_PERSON: "{name} was paused by somebody else",
    Occasion.WAITS: "{name} still waits in the queue",
}
NAME_LENGTH = 80


class Words(NamedTuple):
    title: str
    text: str
    url: str
    """Of the run's page; a test leads to the page of notifications."""


def words_of(notice: Notice) -> Words:
    site = notice.channel.site_url.rstrip("/")
    if notice.run is None:
        text = "Notifications arrive here."
        return Words("A test from MaxFT", text, f"{site}/settings/notifications/")
    name = " ".join(notice.run.name.split())[:NAME_LENGTH]
    title = TITLES[Occasion(notice.occasion)].format(name=name)
    return Words(title, text_of(notice.run, notice.occasion), f"{site}/runs/{notice.run.pk}/")


def text_of(run: Run, occasion: str) -> str:
    if occasion == Occasion.NEEDS_PERSON:
        return "It goes on once somebody resumes it."
    if occasion == Occasion.WAITS:
        return run.waiting_for or "The page Queue says why."
    if run.error:
        return f"{run.error['message']} {run.error.get('hint', '')}".strip()
    return str(run.verdict["title"]) if run.verdict else ""
