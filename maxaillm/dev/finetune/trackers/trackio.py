"""Trackio: a database on this machine, a server of one's own, or a Space of the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.trackers import Tracker, trackers, web_address


@trackers.register
class Trackio(Tracker):
    """Files in TRACKIO_DIR, a server at TRACKIO_SERVER_URL or a Space, TRACKIO_SPACE_ID."""

    label: ClassVar[str] = "Trackio"
    package: ClassVar[str] = "trackio"
    module: ClassVar[str] = "trackio"
    callback: ClassVar[str] = "TrackioCallback"
    variables: ClassVar[tuple[str, ...]] = (
        "TRACKIO_DIR", "TRACKIO_SERVER_URL", "TRACKIO_WRITE_TOKEN", "TRACKIO_SPACE_ID",
    )  # fmt: skip
    hub_variable: ClassVar[str] = "TRACKIO_SPACE_ID"
    going_on: ClassVar[Mapping[str, str]] = {}  # it goes on with the run of the same name

    name: Literal["trackio"] = "trackio"

    @classmethod
    def address(cls, callback: Any) -> str:
        if space := callback._space_id:
            return str(callback.SPACE_URL.format(space_id=space))
        return web_address(callback._trackio.context_vars.current_server.get() or "")
