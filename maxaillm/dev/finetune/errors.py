"""What can go wrong in a way that a user can act on: what, which thing, next step."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import ClassVar, NamedTuple

from pydantic import JsonValue


class FineTuneError(Exception):
    """A failure with a sentence for the user and a hint about the next step."""

    code: str = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def as_json(self) -> dict[str, JsonValue]:
        return {"code": self.code, "message": self.message, "hint": self.hint}


class Problem(NamedTuple):
    """One mistake in a configuration."""

    path: str
    message: str
    value: JsonValue
    allowed: str

    def as_json(self) -> dict[str, JsonValue]:
        return dict(self._asdict())


class ConfigError(FineTuneError):
    """Every mistake of a configuration at once, each with its path."""

    code = "config"
    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        lines = [f"{problem.path}: {problem.message}" for problem in self.problems]
        super().__init__("\n".join(lines), "Correct these options and start again.")


class UnknownComponentError(FineTuneError):
    """A name that no registered component has."""

    code = "unknown_name"
    exit_code = 2

    def __init__(self, kind: str, name: str, known: Sequence[str]) -> None:
        nearest = get_close_matches(name, known, n=1)
        guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(
            f"There is no {kind} named {name!r}.{guess}", f"Known: {', '.join(known)}."
        )


class DataError(FineTuneError):
    """The data can't be read or trained on."""

    code = "data"
    exit_code = 3

    def __init__(self, message: str, hint: str = "", *, code: str = "data") -> None:
        super().__init__(message, hint)
        self.code = code


class ModelError(FineTuneError):
    """A model folder is missing, incomplete, unsafe or does not serve the task."""

    code = "model"
    exit_code = 4


class OtherBaseError(ModelError):
    """An adapter is to lie on another base than the one that it was trained on."""

    code = "other_base"


class OutOfMemoryError(FineTuneError):
    """The work does not fit into memory."""

    code = "out_of_memory"
    exit_code = 5


class NotFiniteError(FineTuneError):
    """The loss or the gradient stopped being a number."""

    code = "not_finite"
    exit_code = 6


class DivergedError(FineTuneError):
    """Training made the model worse than its base, and kept doing so."""

    code = "diverged"
    exit_code = 13


class DiskFullError(FineTuneError):
    """A file could not be written for want of space."""

    code = "disk_full"
    exit_code = 7


class CheckpointError(FineTuneError):
    """A checkpoint is incomplete, altered or belongs to another run."""

    code = "checkpoint"
    exit_code = 8


class ProviderError(FineTuneError):
    """A provider is not what it has to be, lacks a secret, or does not have what was asked for."""

    code = "provider"
    exit_code = 10


class ProcessLostError(FineTuneError):
    """One of several processes that train together has died."""

    code = "process_lost"
    exit_code = 11


class ExportError(FineTuneError):
    """A model can't be exported in a form, or the export does not say what the model says; then
    with the report that shows it."""

    code = "export"
    exit_code = 12

    def __init__(
        self, message: str, hint: str = "", *, parity: dict[str, JsonValue] | None = None
    ) -> None:
        super().__init__(message, hint)
        self.parity = parity

    def as_json(self) -> dict[str, JsonValue]:
        return super().as_json() | ({"parity": self.parity} if self.parity else {})
