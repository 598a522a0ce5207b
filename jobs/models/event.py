"""Events of runs: the lines of their journals as rows, each step once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db import models

from maxaillm.dev.finetune.run.events.payload import EventPayload, read_payload

P = TypeVar("P", bound=EventPayload)


class EventQuerySet(models.QuerySet["Event"]):
    def typed(self, cls: type[P]) -> Iterator[tuple[Event, P]]:
        """The events of a kind, in the order of the query, each with its payload."""
        rows = self.filter(kind=cls.kind)
        if not rows.query.order_by:  # as they came. By `seq` itself SQLite walks through all kinds
            rows = rows.order_by(models.F("seq") + 0)
        for row in rows:
            if isinstance(payload := row.payload, cls):
                yield row, payload


class Event(models.Model):
    """One event. An event of a step that comes again (a resumed run) replaces the earlier one."""

    run = models.ForeignKey("jobs.Run", models.CASCADE, related_name="events")
    seq = models.PositiveBigIntegerField()
    """Grows by one an event of a run; a replaced event gets a new number."""
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    step = models.PositiveIntegerField(null=True)
    time = models.FloatField()
    """Seconds since 1970, by the trainer's clock: for display; order is by seq."""
    data = models.JSONField(default=dict)
    key = models.CharField(max_length=100)
    """`log:31` for what belongs to a step, `stage/2/7` (attempt, line) for the rest."""

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["run", "key"], name="one_event_a_key"),
        ]
        indexes = [
            models.Index(fields=["run", "seq"]),
            models.Index(fields=["run", "kind", "step"]),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def payload(self) -> EventPayload:
        """`data` as the class of its kind; untyped where that is not known or does not fit."""
        return read_payload(self.kind, self.data)
