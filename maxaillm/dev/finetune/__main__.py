"""The command: train, evaluate, generate, validate, estimate."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from maxaillm.dev.finetune.attempt import Attempt, StopRequestedError
from maxaillm.dev.finetune.checkpoints import MANIFEST, Checkpoint, newest_verified
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config_file import read_config
from maxaillm.dev.finetune.errors import CheckpointError, FineTuneError
from maxaillm.dev.finetune.events import write_atomically
from maxaillm.dev.finetune.model_folder import is_hub_name
from maxaillm.dev.finetune.progress import ProgressLine, print_error, print_json
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning

RELEASING = (signal.SIGTERM, signal.SIGINT)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command. Returns the exit code; errors are told on stderr."""
    args = parser().parse_args(argv)
    try:
        args.command(args)
    except StopRequestedError:
        return 0
    except FineTuneError as error:
        print_error(error, as_json=args.json)
        return error.exit_code
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m maxaillm.dev.finetune", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="tune a model")
    train.set_defaults(command=run_training)
    train.add_argument("config", type=Path, help="RunConfig as YAML or JSON")
    train.add_argument("overrides", nargs="*", metavar="section.option=value")
    train.add_argument("--folder", type=Path, help="where the run keeps its things")
    train.add_argument("--resume", type=Path, help="a checkpoint, or a folder of them")
    train.add_argument("--json", action="store_true", help="events as JSON lines")
    return top


def run_training(args: argparse.Namespace) -> None:
    config = read_config(args.config, args.overrides)
    stay_off_the_network(config)
    root = args.folder or Path("runs") / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    show = print_json if args.json or not sys.stdout.isatty() else ProgressLine()
    with Attempt(root, show) as attempt, release_on_signal(attempt):
        write_atomically(attempt.folder.config, config.model_dump_json(indent=1).encode())
        resume = find_checkpoint(args.resume, attempt) if args.resume else None
        MaxHuggingFaceFineTuning(config, attempt).run(resume)


def stay_off_the_network(config: RunConfig) -> None:
    """Set before the libraries are imported, which read it once. A Hub name needs the network."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not is_hub_name(config.model.name):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


def find_checkpoint(path: Path, attempt: Attempt) -> Checkpoint:
    """The checkpoint at `path`, or the newest whole one below it. Raises CheckpointError."""
    if (path / MANIFEST).is_file():
        return Checkpoint.read(path)
    newest, damaged = newest_verified([path, path / "checkpoints"])
    for error in damaged:
        attempt.warn(error.message, "An older checkpoint is used.")
    if newest is None:
        raise CheckpointError(f"There is no whole checkpoint in {path}.", "Start anew.")
    return newest


@contextmanager
def release_on_signal(attempt: Attempt) -> Iterator[None]:
    """SIGTERM and Ctrl-C finish the step and save a checkpoint; a second one ends at once."""

    def release(number: int, _frame: FrameType | None) -> None:
        attempt.release_wanted = True
        signal.signal(number, before[number])

    before = {int(number): signal.signal(number, release) for number in RELEASING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
