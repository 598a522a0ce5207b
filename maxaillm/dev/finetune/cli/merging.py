"""Arguments of the command merge: adapters of one base made into one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.cli.arguments import add


def add_to(commands: Any, command: Callable[..., object]) -> None:
    merge = add(commands, "merge", command, "make one adapter of several of one base")
    merge.add_argument("base", help="what they lie on: a starter model, a folder or a Hub name")
    merge.add_argument("folder", type=Path, help="where the adapter goes; it must be new")
    merge.add_argument(
        "--adapter", nargs=2, action="append", required=True, metavar=("FOLDER", "WEIGHT")
    )
    merge.add_argument("--method", default="linear", help="linear, ties, dare_linear, dare_ties")
    merge.add_argument("--density", type=float, help="share of entries that are kept: 0.5")
