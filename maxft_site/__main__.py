"""The command `maxft`: what the site, the engine and the client can do, under one name."""

from __future__ import annotations

import ast
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

from maxaillm import __version__
from maxft_client import COMMANDS as CLIENT
from maxft_client import COMPLETES

PACKAGES = Path(__file__).resolve().parent.parent
SITE = ("jobs/management/commands", "maxft_site/web/management/commands")
ENGINE = "maxaillm/dev/finetune/__main__.py"


def main() -> None:
    """Carry out the command in `sys.argv`; ends the process with its exit code."""
    argv = sys.argv[1:] or ["--help"]
    if COMPLETES in os.environ or argv[0] in CLIENT or is_export_from_a_site(argv):
        sys.exit(as_client(argv))
    if argv[0] in {"-h", "--help", "--version"}:
        parser().parse_args(argv[:1])
    if argv[0] in dict(engine_commands()):
        from maxaillm.dev.finetune import __main__ as engine

        sys.exit(engine.main(argv, prog="maxft"))
    choose_data_dir(argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "maxft_site.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["maxft", *argv])


def is_export_from_a_site(argv: Sequence[str]) -> bool:
    """`maxft export MODEL --kind gguf`: the engine's own export has no such option."""
    return argv[0] == "export" and any(word.startswith("--kind") for word in argv)


def as_client(argv: Sequence[str]) -> int:
    from maxft_client import cli

    if COMPLETES in os.environ:
        return cli.complete({**dict(engine_commands()), **dict(site_commands())})
    return cli.main(["models", *argv] if argv[0] == "export" else argv)


def parser() -> ArgumentParser:
    """Lists every command; the engine, the client and Django parse what follows its name."""
    top = ArgumentParser(
        "maxft",
        description="Fine-tune language models: a site for a team, and an engine for one.",
        epilog="maxft COMMAND --help tells more; maxft help lists Django's commands too.",
    )
    top.add_argument("--version", action="version", version=f"maxft {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for name, text in [*site_commands(), *engine_commands()]:
        commands.add_parser(name, help=text)
    for name, info in CLIENT.items():
        commands.add_parser(name, help=f"at a site: {info.help}")
    return top


def engine_commands() -> Iterator[tuple[str, str]]:
    """Name and help of each of the engine's commands, read from the source: to import them takes
    longer than a command at a site."""
    for node in ast.walk(ast.parse((PACKAGES / ENGINE).read_text())):
        match node:
            case ast.Call(ast.Name("add"), [_, ast.Constant(name), _, ast.Constant(text)]):
                yield str(name), str(text)


def site_commands() -> Iterator[tuple[str, str]]:
    """Name and help of each of the site's own commands, read from the source: to import them,
    Django would set up the site and make its data directory."""
    for folder in SITE:
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
