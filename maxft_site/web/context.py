"""What every page's frame shows: counts in the rail, what runs now, memory and disk.

The shell knows no app. An app hands in its part once, from `AppConfig.ready`:
`context.register(shell_part)`, a function from the user to a `ShellPart`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import psutil
from django.conf import settings
from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


class RunningWork(NamedTuple):
    """A line of the top bar: what runs, how far it is (0 to 1), where to look at it."""

    title: str
    progress: float
    url: str


class ShellPart(NamedTuple):
    """What one app adds: numbers beside the rail's links, and its running work."""

    counts: Mapping[str, int] = {}
    running: Sequence[RunningWork] = ()


class Gauge(NamedTuple):
    """A quantity in bytes against its limit."""

    name: str
    used: int
    total: int


Provider = Callable[["User"], ShellPart]
providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Ask `provider` for its part whenever a frame is drawn."""
    if provider not in providers:
        providers.append(provider)


class Shell:
    """Computed when a template asks, so that partials and API answers pay nothing."""

    def __init__(self, user: User | AnonymousUser | None) -> None:
        self.user = user

    @cached_property
    def parts(self) -> list[ShellPart]:
        user = self.user
        if user is None or not user.is_authenticated:
            return []
        return [provider(user) for provider in providers]

    @cached_property
    def counts(self) -> dict[str, int]:
        return {name: count for part in self.parts for name, count in part.counts.items()}

    @cached_property
    def running(self) -> list[RunningWork]:
        return [work for part in self.parts for work in part.running]

    @cached_property
    def gauges(self) -> list[Gauge]:
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(settings.DATA_DIR))
        return [
            Gauge("Memory", memory.total - memory.available, memory.total),
            Gauge("Disk", disk.used, disk.used + disk.free),
        ]


def shell(request: HttpRequest) -> dict[str, object]:
    """The context processor: `shell` in every template."""
    # A request that is refused before anybody looks who sent it, as for its Host, has no user.
    return {"shell": Shell(getattr(request, "user", None))}
