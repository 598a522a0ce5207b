"""Experiment trackers: programs that keep and draw the curves of many runs, one module each.

What writes to one is transformers' own integration callback (`hf/training/tracking.py`). This is
what has to be known of it without the libraries: whether it is there, and what it reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from maxaillm.dev.finetune.components.registry import Component, Registry

RUN_ADDRESS = "MAXAILLM_RUN_ADDRESS"
"""The environment variable with the address of the run's own page, which trackers are told."""


class Lack(NamedTuple):
    """Why a run can't be reported to a tracker."""

    label: str
    message: str
    hint: str


class Tracker(Component):
    """One tracker; all is said by the class."""

    package: ClassVar[str]
    """What is installed, by pip."""
    module: ClassVar[str]
    """What is imported then."""
    callback: ClassVar[str]
    """The class of `transformers.integrations` that writes to it."""
    variables: ClassVar[tuple[str, ...]] = ()
    """The environment variables by which it is configured. Of the site's, no others reach a
    trainer: none that would send weights, and none that would name one run for all."""
    hub_variable: ClassVar[str] = ""
    """The variable that sends it to the Hugging Face Hub, which a run may stay off else."""
    going_on: ClassVar[Mapping[str, str]] = {}
    """Variables that make it go on with an earlier run of its own; {key} is that run's key."""

    @classmethod
    def unconfigured(cls, environment: Mapping[str, str]) -> str:
        """What has to be set before it can be used; empty where that is done."""
        return ""

    @classmethod
    def lack(cls, environment: Mapping[str, str]) -> Lack | None:
        """Why nothing can be reported to it from here; None where it can."""
        if find_spec(cls.module) is None:
            message = f"{cls.label} is not installed, so this run is not reported to it."
            return Lack(cls.label, message, f"Whoever runs this: pip install {cls.package}.")
        if hint := cls.unconfigured(environment):
            message = f"{cls.label} is not configured, so this run is not reported to it."
            return Lack(cls.label, message, hint)
        return None

    @classmethod
    def key(cls, callback: Any) -> str:
        """The tracker's own name of the run that a callback has begun."""
        return ""

    @classmethod
    def address(cls, callback: Any) -> str:
        """Where a browser finds that run; empty where it lies in files alone."""
        return ""

    @classmethod
    def end(cls, callback: Any, *, has_failed: bool) -> None:
        """What the callback leaves undone at the end of a run."""


trackers = Registry[Tracker]("tracker", package=__name__)


def lacking(names: Iterable[str], environment: Mapping[str, str] = os.environ) -> list[Lack]:
    """Of the trackers asked for, why some can't be reported to."""
    return [lack for name in names if (lack := trackers[name].lack(environment))]


def web_address(text: str) -> str:
    """An address without what signs in by it; empty where it is none for a browser."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"}:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
