"""Standings of those who wait: why each run does not start now, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from jobs.models import DeviceAccount, QueuePause
from jobs.services.queue.claims import is_full, working
from jobs.services.queue.kinds import KINDS, kinds_for
from jobs.services.queue.pauses import in_words, paused_by
from maxft_site.web.formatting import duration


class Waiting(NamedTuple):
    """A waiting run, as far as the forecast needs it."""

    run: int
    owner: int
    is_owner: bool
    priority: int
    queued_at: datetime | None
    needed: float | None
    provider: str | None


class Standings:
    """Who has had how much, in sentences."""

    def __init__(
        self,
        waiting: list[Waiting],
        devices: Mapping[str, int],
        paused: Mapping[str, QueuePause],
    ) -> None:
        self.paused = paused
        self.rows = {row.run: row for row in waiting}
        self.owners = {row.owner for row in waiting}
        self.devices = devices
        self.at_work = working()
        self.before: dict[int, int] = {}
        """Run -> how many of its owner's wait before it."""
        counted: dict[int, int] = {}
        for row in waiting:
            self.before[row.run] = counted.get(row.owner, 0)
            counted[row.owner] = self.before[row.run] + 1
        self.virtual = {
            (account.kind, account.user_id): account.virtual
            for account in DeviceAccount.objects.all()
        }
        self.least = {kind: sorted(self.virtuals(kind))[:2] for kind in devices}
        """By kind, the two owners who have had least."""

    def virtuals(self, kind: str) -> Iterator[tuple[float, int]]:
        return ((self.virtual.get((kind, owner), 0.0), owner) for owner in self.owners)

    def why(self, run: int, devices: Mapping[str, int] | None, place: int) -> str:
        """Why a run waits, in one sentence."""
        row = self.rows[run]
        if devices is None:
            return "The queue can't be reached; it waits in the database until it can."
        kinds = kinds_for(row.provider, self.devices)
        pause = next((p for k in devices if (p := paused_by(self.paused, k))), None)
        if not kinds and pause:
            return f"{in_words(pause)}: nothing new starts until it goes on."
        if not kinds:
            return "No worker for it is up; it starts when one is."
        return self.own(row) or self.turn(row, kinds[0], place - 1)

    def own(self, row: Waiting) -> str:
        """What holds a run back among its owner's; empty where nothing does."""
        if self.before[row.run]:
            return f"Waits behind {runs_in_words(self.before[row.run])} of its owner."
        if is_full(self.at_work[row.owner]):
            number = self.at_work[row.owner]
            return f"Its owner has {runs_in_words(number)} at work, as many as one may."
        return ""

    def turn(self, row: Waiting, kind: str, ahead: int) -> str:
        """What holds it back beside the runs of others."""
        if row.priority:
            return "Put first by an owner of the site."
        if not ahead:
            return "Next: it starts as soon as a device is free."
        mine = self.virtual.get((kind, row.owner), 0.0)
        least = next((had for had, other in self.least[kind] if other != row.owner), mine)
        come_first = f"{runs_in_words(ahead)} {'comes' if ahead == 1 else 'come'} first"
        if mine - least < 60:
            return f"{come_first}: their turn is before this one's."
        share = f"its owner has had {duration(mine - least)} more of the {KINDS[kind]}"
        return f"{come_first}: {share} than those who are next."


def runs_in_words(number: int) -> str:
    return f"{number:,} run" if number == 1 else f"{number:,} runs"
