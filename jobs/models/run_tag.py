"""Tags of runs: short words by which their owner finds them again."""

from __future__ import annotations

from django.db import models

from maxft_site.web.columns import NameField


class RunTag(models.Model):
    """One tag of one run, in small letters."""

    run = models.ForeignKey("jobs.Run", models.CASCADE, related_name="tags")
    name = NameField(max_length=40)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="one_tag_a_name")]
        indexes = [models.Index(fields=["name"])]

    def __str__(self) -> str:
        return self.name
