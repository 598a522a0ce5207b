"""What runs told: the journal's events as rows, each step once."""

from __future__ import annotations

from django.db import models


class Event(models.Model):
    """One event. An event of a step that comes again (a resumed run) replaces the earlier one."""

    run = models.ForeignKey("jobs.Run", models.CASCADE, related_name="events")
    seq = models.PositiveBigIntegerField()
    """Grows by one an event of a run; a replaced event gets a new number."""
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=12)
    step = models.PositiveIntegerField(null=True)
    time = models.FloatField()
    """Seconds since 1970, by the trainer's clock: for display; order is by seq."""
    data = models.JSONField(default=dict)
    key = models.CharField(max_length=60)
    """`log:31` for what belongs to a step, `stage/2/7` (attempt, line) for the rest."""

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
