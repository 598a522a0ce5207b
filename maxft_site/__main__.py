"""The command `maxft`: what the site and what the engine can do, under one name."""

from __future__ import annotations

import ast
import os
import sys
from argparse import ArgumentParser
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from maxaillm import __version__
from maxaillm.dev.finetune import __main__ as engine

PACKAGES = Path(__file__).resolve().parent.parent
COMMANDS = ("jobs/management/commands", "maxft_site/web/management/commands")


def main() -> None:
    """Carry out the command in `sys.argv`; ends the process with its exit code."""
    argv = sys.argv[1:] or ["--help"]
    if argv[0] in {"-h", "--help", "--version"}:
        parser().parse_args(argv[:1])
    if argv[0] in engine_commands():
        sys.exit(engine.main(argv, prog="maxft"))
    choose_data_dir(argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "maxft_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["maxft", *argv])


def parser() -> ArgumentParser:
    """Lists every command; the engine and Django parse what follows its name."""
    top = ArgumentParser(
        "maxft",
        description="Fine-tune language models: a site for a team, and an engine for one.",
        epilog="maxft COMMAND --help tells more; maxft help lists Django's commands too.",
    )
    top.add_argument("--version", action="version", version=f"maxft {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for name, text in site_commands():
        commands.add_parser(name, help=text)
    engine.add_commands(commands)
    return top


def engine_commands() -> Collection[str]:
    commands = ArgumentParser().add_subparsers()
    engine.add_commands(commands)
    return commands.choices


def site_commands() -> Iterator[tuple[str, str]]:
    """Name and help of each of the site's own commands, read from the source: to import them,
    Django would set up the site and make its data directory."""
    for folder in COMMANDS:
        for path in sorted((PACKAGES / folder).glob("[a-z]*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Assign([ast.Name("help")], ast.Constant(text)):
                        yield path.stem, str(text)


def choose_data_dir(argv: Sequence[str]) -> None:
    """`--data-dir` decides what the settings say, so it is read before them."""
    early = ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--data-dir")
    given, _ = early.parse_known_args(argv)
    if given.data_dir:
        os.environ["MAXFT_DATA_DIR"] = given.data_dir


if __name__ == "__main__":
    main()
