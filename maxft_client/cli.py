"""The command line of the client.

Click: it is here already (RQ's and uvicorn's), quick to import, and completes in bash, zsh and
fish. Typer would add its own imports to the same thing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NoReturn

import click

from maxft_client import COMMANDS, COMPLETES
from maxft_client.errors import ClientError


class Commands(click.Group):
    """Each command is imported when it is called. `others` are those of the site and the engine,
    named here for completion alone."""

    others: Mapping[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *self.others]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.others:
            return click.Command(cmd_name, help=self.others[cmd_name])
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"maxft_client.commands.{COMMANDS[cmd_name].module}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, info.help) for name, info in COMMANDS.items()])


cli = Commands("maxft", help="A MaxFT site from any machine. Sign in first: maxft login URL.")


def main(argv: Sequence[str]) -> int:
    """Carry out a command. Returns the exit code: see `errors`."""
    try:
        cli.main(list(argv), prog_name="maxft", standalone_mode=False)
    except ClientError as error:
        show(error, as_json="--json" in argv)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\n")
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # such as `maxft runs list | head`
    return 0


def show(error: ClientError, *, as_json: bool) -> None:
    """What happened and what to do about it, on stderr."""
    if as_json:
        sys.stderr.write(json.dumps({"error": error.as_json()}) + "\n")
    else:
        error.show()


def complete(others: Mapping[str, str]) -> NoReturn:
    """Answer a shell that completes a command, by click's protocol."""
    cli.others = others
    cli.main([], prog_name="maxft", complete_var=COMPLETES)
