"""Comet: the service, or a server of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from maxaillm.dev.finetune.trackers import Tracker, trackers, web_address


@trackers.register
class Comet(Tracker):
    """The service at comet.com, or a server of one's own at COMET_URL_OVERRIDE."""

    label: ClassVar[str] = "Comet"
    package: ClassVar[str] = "comet-ml"
    module: ClassVar[str] = "comet_ml"
    callback: ClassVar[str] = "CometCallback"
    variables: ClassVar[tuple[str, ...]] = (
        "COMET_API_KEY", "COMET_WORKSPACE", "COMET_PROJECT_NAME", "COMET_URL_OVERRIDE",
        "COMET_START_ONLINE", "COMET_OFFLINE_DIRECTORY",
    )  # fmt: skip
    going_on: ClassVar[Mapping[str, str]] = {"COMET_EXPERIMENT_KEY": "{key}"}

    name: Literal["comet_ml"] = "comet_ml"

    @classmethod
    def unconfigured(cls, environment: Mapping[str, str]) -> str:
        if environment.get("COMET_API_KEY") or (Path.home() / ".comet.config").is_file():
            return ""
        return "Set COMET_API_KEY in the environment."

    @classmethod
    def key(cls, callback: Any) -> str:
        return str(callback._experiment.get_key())

    @classmethod
    def address(cls, callback: Any) -> str:
        return web_address(callback._experiment.url or "")

    @classmethod
    def end(cls, callback: Any, *, has_failed: bool) -> None:
        callback._experiment.end()
