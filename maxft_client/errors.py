"""What can go wrong: what, which thing, next step, and the exit code that scripts see.

| code | meaning |
|---|---|
| 0 | done |
| 1 | the site refused, such as a run that has ended and is to be paused |
| 2 | a mistake in the command, or in the configuration of a run |
| 3 | no key, or one that is not for this |
| 4 | not there, or not yours |
| 5 | the site can't be reached, is too busy, or answers something else |
| 6 | what was waited for failed: a run, a check, an export |
| 7 | a file of this machine can't be read or written, or is damaged |
| 130 | Ctrl-C |
"""

from __future__ import annotations

from typing import IO, Any

import click

from maxft_client.terminal.text import plain


class ClientError(click.ClickException):
    """A failure with a sentence and the next step."""

    exit_code = 1
    code = "refused"

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code or self.code

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "hint": self.hint}

    def show(self, file: IO[Any] | None = None) -> None:
        for line in filter(None, (self.message, self.hint)):
            click.echo(plain(line), file=file, err=file is None)


class ConfigurationError(ClientError):
    """The configuration of a run has mistakes: the site names all of them."""

    exit_code, code = 2, "config"


class KeyRefusedError(ClientError):
    """There is no key, or it opens nothing of this."""

    exit_code, code = 3, "unauthorized"


class NotThereError(ClientError):
    """There is no such thing, or it is somebody else's."""

    exit_code, code = 4, "not_found"


class UnreachableError(ClientError):
    """The site can't be reached, is too busy, or is no such site."""

    exit_code, code = 5, "unreachable"


class FailedError(ClientError):
    """What was waited for has failed."""

    exit_code, code = 6, "failed"


class LocalFileError(ClientError):
    """A file of this machine can't be read or written, or is not what it should be."""

    exit_code, code = 7, "file"
