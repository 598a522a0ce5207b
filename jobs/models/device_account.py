"""Device account: what a user has had of a kind of device, by which the queue is fair."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class DeviceAccount(models.Model):
    """One user's use of one kind of device (`cpu`, `cuda`)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="device_accounts"
    )
    kind = models.CharField(max_length=10)
    virtual = models.FloatField(default=0)
    """Virtual time, in seconds: device-seconds by weight, lifted where the user comes back."""
    device_seconds = models.FloatField(default=0)
    """What was used in all."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="account_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.user} on {self.kind}"
