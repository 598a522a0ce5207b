"""Arguments that several commands have: a configuration, a model, how a file is to be read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.config import Precision
from maxaillm.dev.finetune.config.presets import PRESETS
from maxaillm.dev.finetune.data.readers.options import ReadOptions
from maxaillm.dev.finetune.errors import ConfigError


def add(commands: Any, name: str, command: Any, help_text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=help_text)
    made.set_defaults(command=command)
    made.add_argument("--json", action="store_true", help="JSON, for programs")
    return made


def add_config(command: argparse.ArgumentParser, or_else: str = "") -> None:
    command.add_argument("config", type=Path, help=f"RunConfig as YAML or JSON{or_else}")
    command.add_argument("overrides", nargs="*", metavar="section.option=value")
    labels = "; ".join(f"{name}: {preset.help}" for name, preset in PRESETS.items())
    command.add_argument("--preset", choices=PRESETS, help=labels)


def overrides_of(args: argparse.Namespace) -> list[str]:
    """What is given besides the file: the preset first, so that options count more."""
    preset = PRESETS[args.preset].overrides if args.preset else []
    return [*preset, *args.overrides]


def add_reading(command: argparse.ArgumentParser) -> None:
    """What may be said of how a data file is written."""
    for name, info in ReadOptions.model_fields.items():
        kind = int if name.endswith("_rows") else str
        command.add_argument(f"--{name.replace('_', '-')}", type=kind, help=info.description)


def reading_of(args: argparse.Namespace) -> ReadOptions:
    """Raises ConfigError."""
    said = {name: getattr(args, name) for name in ReadOptions.model_fields}
    if said["delimiter"] in ("tab", "\\t"):
        said["delimiter"] = "\t"
    try:
        return ReadOptions.model_validate(said)
    except ValidationError as error:
        raise ConfigError(problems_of(ReadOptions, error)) from error


def add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", help="a starter model, a folder or a Hub name")
    command.add_argument("--base", help="the base of an adapter, where it does not name it")
    command.add_argument(
        "--any-base", action="store_true",
        help="lay an adapter on another base than the one it was trained on",
    )  # fmt: skip


def add_precision(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--precision", choices=get_args(Precision), default="auto",
        help="auto: the quickest here; fp32 for figures to compare",
    )  # fmt: skip
