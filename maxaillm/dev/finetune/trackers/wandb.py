"""Weights & Biases: the service, or a server of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from netrc import NetrcParseError, netrc
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from maxaillm.dev.finetune.trackers import Tracker, trackers, web_address


@trackers.register
class WeightsAndBiases(Tracker):
    """The service at wandb.ai, or a server of one's own at WANDB_BASE_URL."""

    label: ClassVar[str] = "Weights & Biases"
    package: ClassVar[str] = "wandb"
    module: ClassVar[str] = "wandb"
    callback: ClassVar[str] = "WandbCallback"
    variables: ClassVar[tuple[str, ...]] = (
        "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_MODE",
        "WANDB_TAGS", "WANDB_RUN_GROUP", "WANDB_SILENT",
    )  # fmt: skip
    going_on: ClassVar[Mapping[str, str]] = {"WANDB_RUN_ID": "{key}", "WANDB_RESUME": "allow"}

    name: Literal["wandb"] = "wandb"

    @classmethod
    def unconfigured(cls, environment: Mapping[str, str]) -> str:
        """Without a key it would ask for one on a terminal."""
        is_offline = environment.get("WANDB_MODE") in {"offline", "dryrun", "disabled"}
        if is_offline or environment.get("WANDB_API_KEY") or has_signed_in(environment):
            return ""
        return "Set WANDB_API_KEY in the environment, or WANDB_MODE=offline to write files alone."

    @classmethod
    def key(cls, callback: Any) -> str:
        return str(callback._wandb.run.id)

    @classmethod
    def address(cls, callback: Any) -> str:
        return web_address(callback._wandb.run.url or "")

    @classmethod
    def end(cls, callback: Any, *, has_failed: bool) -> None:
        callback._wandb.finish(exit_code=int(has_failed))


def has_signed_in(environment: Mapping[str, str]) -> bool:
    """Whether `wandb login` has left a key, which it does in ~/.netrc."""
    server = urlsplit(environment.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname
    try:
        return netrc().authenticators(server or "") is not None
    except (OSError, NetrcParseError):
        return False
