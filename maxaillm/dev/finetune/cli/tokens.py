"""The command `tokens`: what the model will see, as a file, as JSON or on a terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.files import apply_override, read_config
from maxaillm.dev.finetune.data.analysis.findings import HIDDEN, escaped
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.processes.json_lines import ProgressEmitter

if TYPE_CHECKING:
    from maxaillm.dev.finetune.hf.token_view import TokenView

STYLES = {"trained": "32", "context": "0", "cut": "9;31"}
"""Of a terminal: green, plain, red and struck."""
PROGRESS_SECONDS = 0.3


def config_of(args: argparse.Namespace) -> RunConfig:
    """The file given, else nothing, with what is given besides. Raises ConfigError."""
    given = {
        "model.name": args.model, "data.train_file": args.data, "data.max_length": args.max_length
    }  # fmt: skip
    overrides = [f"{name}={json.dumps(value)}" for name, value in given.items() if value]
    if args.config and "=" not in args.config[0]:
        return read_config(Path(args.config[0]), [*args.config[1:], *overrides])
    data: dict[str, Any] = {}
    for override in [*args.config, *overrides]:
        apply_override(data, override)
    return RunConfig.parse(data)


def view_of(config: RunConfig, rows: Sequence[int] | None) -> TokenView:
    from maxaillm.dev.finetune.hf.token_view import TokenView

    return TokenView(config, rows or ())


def facts_of(
    config: RunConfig, args: argparse.Namespace, on_progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    view = view_of(config, args.row)
    if args.row:
        return {"rows": view.rows(args.row)}
    return view.summary(args.sample, on_progress or (lambda _: None))


def write(config: RunConfig, args: argparse.Namespace) -> None:
    """Write what was found, or the error, into the file in one step; print the progress."""
    progress = ProgressEmitter(seconds=PROGRESS_SECONDS)
    try:
        facts = facts_of(config, args, lambda share: progress.emit(round(share, 3)))
    except FineTuneError as error:
        replace(args.to, {"error": error.as_json()})
        raise
    replace(args.to, facts)


def replace(path: Path, facts: dict[str, Any]) -> None:
    staged = path.with_name(f"{path.name}.part")
    staged.write_text(json.dumps(facts, allow_nan=False), encoding="utf-8")
    staged.replace(path)


def print_rows(rows: list[dict[str, Any]]) -> None:
    """For people: one token beside the other, trained ones green, cut ones struck."""
    for row in rows:
        split = f", {row['split']}" if row["split"] else ""
        sys.stdout.write(f"Row {row['row']}{split}: {row['length']} tokens\n")
        if row["left_out"]:
            sys.stdout.write(f"Left out: {row['why_left_out']}\n")
        for stream in row["streams"]:
            counts = ", ".join(f"{stream[state]} {state}" for state in STYLES)
            title = f"{stream['title']}: " if stream["title"] else ""
            says = f" -> {stream['says']}" if stream["says"] else ""
            sys.stdout.write(f"{title}{counts}{says}\n")
            sys.stdout.write("".join(map(styled, stream["tokens"])) + "\n\n")


def styled(token: dict[str, Any]) -> str:
    text = HIDDEN.sub(escaped, token["text"])
    says = f"/{token['says']}" if "says" in token else ""
    if not sys.stdout.isatty():
        return f"[{token['state']} {text}{says}]"
    return f"\x1b[{STYLES[token['state']]}m{text}{says}\x1b[0m"
