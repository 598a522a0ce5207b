"""The command merge: adapters of one base made into one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.cli.arguments import add
from maxaillm.dev.finetune.cli.console import print_progress
from maxaillm.dev.finetune.errors import ConfigError, Problem


def add_to(commands: Any) -> None:
    merge = add(commands, "merge", run_merge, "make one adapter of several of one base")
    merge.add_argument("base", help="what they lie on: a starter model, a folder or a Hub name")
    merge.add_argument("folder", type=Path, help="where the adapter goes; it must be new")
    merge.add_argument(
        "--adapter", nargs=2, action="append", required=True, metavar=("FOLDER", "WEIGHT")
    )
    merge.add_argument("--method", default="linear", help="linear, ties, dare_linear, dare_ties")
    merge.add_argument("--density", type=float, help="share of entries that are kept: 0.5")


def run_merge(args: argparse.Namespace) -> None:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from maxaillm.dev.finetune.exports.shared.adapters import Part, merge_adapters
    from maxaillm.dev.finetune.exports.shared.merging import DENSITY, MERGES

    if args.method not in MERGES:
        message, allowed = "There is no such way to merge.", ", ".join(MERGES)
        raise ConfigError([Problem("method", message, args.method, allowed)])
    made = merge_adapters(
        [Part(folder, float(weight)) for folder, weight in args.adapter],
        args.base,
        args.folder,
        method=args.method,
        density=DENSITY if args.density is None else args.density,
        report=print_progress if args.json else lambda _share, _stage: None,
    )
    sys.stdout.write(json.dumps(made) + "\n")
