"""The command: train, evaluate, generate, export, validate, estimate, tokens."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, get_args

from maxaillm.dev.finetune.cli import merging
from maxaillm.dev.finetune.cli.arguments import (
    add,
    add_config,
    add_model,
    add_precision,
    add_reading,
    overrides_of,
    reading_of,
)
from maxaillm.dev.finetune.cli.console import (
    ProgressLine,
    print_error,
    print_json,
    print_note,
    print_progress,
)
from maxaillm.dev.finetune.cli.validation import config_asked, read_as, validation_facts
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.files import apply_override, read_config
from maxaillm.dev.finetune.data.rows.splits import Split
from maxaillm.dev.finetune.errors import CheckpointError, DataError, FineTuneError
from maxaillm.dev.finetune.model_files.folder import is_hub_name, local_name
from maxaillm.dev.finetune.run.attempt import Attempt, StopRequestedError
from maxaillm.dev.finetune.run.checkpoints import MANIFEST, Checkpoint, newest_verified
from maxaillm.dev.finetune.run.taken import keep_seconds
from maxaillm.dev.finetune.run.torchrun import launch, needs_launch, open_attempt, rank

if TYPE_CHECKING:
    from maxaillm.model.loaded import LoadedModel

PROG = "python -m maxaillm.dev.finetune"
RELEASING = (signal.SIGTERM, signal.SIGINT)


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Carry out a command. Returns the exit code; errors are told on stderr."""
    top = argparse.ArgumentParser(prog=prog, description=__doc__)
    add_commands(top.add_subparsers(required=True, metavar="COMMAND"))
    args = top.parse_args(argv)
    for name in ("model", "base"):
        if getattr(args, name, None):
            setattr(args, name, local_name(getattr(args, name), print_note))
    warnings.filterwarnings("ignore", category=FutureWarning)  # the libraries' words to us
    try:
        return args.command(args) or 0
    except StopRequestedError:
        return 0
    except FineTuneError as error:
        print_error(error, as_json=args.json)
        return error.exit_code


def add_commands(commands: Any) -> None:
    """Add each command to what `add_subparsers` made."""
    train = add(commands, "train", run_training, "tune a model")
    add_config(train)
    train.add_argument("--folder", type=Path, help="where the run keeps its things")
    train.add_argument("--resume", type=Path, help="a checkpoint, or a folder of them")

    add_config(add(commands, "estimate", run_estimate, "what a run will need"))
    validate = add(commands, "validate", run_validation, "check configuration and data file")
    add_config(validate, or_else=", or a data file alone")
    add_reading(validate)

    tokens = add(commands, "tokens", run_token_view, "what the model will see of a data file")
    tokens.add_argument("config", nargs="*", help="RunConfig as YAML or JSON, section.option=value")
    tokens.add_argument("--model", help="a starter model, a folder or a Hub name")
    tokens.add_argument("--data", help="the training file")
    tokens.add_argument("--max-length", type=int)
    tokens.add_argument("--row", type=int, nargs="+", help="these rows token by token, from 1")
    tokens.add_argument("--sample", type=int, default=0, help="figures of about so many rows")
    tokens.add_argument("--to", type=Path, help="write JSON here; progress is printed")

    evaluate = add(commands, "evaluate", run_evaluation, "measure a model on a data file")
    add_model(evaluate)
    add_precision(evaluate)
    evaluate.add_argument("data", type=Path, help="rows that the model has not seen")
    add_reading(evaluate)
    evaluate.add_argument("--max-length", type=int, default=512)
    evaluate.add_argument("--metrics", nargs="+", default=(), help="default: all of the task")
    evaluate.add_argument("--split", choices=get_args(Split), help="default: what is held out")

    generate = add(commands, "generate", run_generation, "let a model answer, or judge a text")
    add_model(generate)
    add_precision(generate)
    generate.add_argument("prompt")
    generate.add_argument("--pair", help="the second text, for a model that judges two")
    generate.add_argument("--max-new-tokens", type=int, default=256)
    generate.add_argument("--temperature", type=float, default=0.7)
    generate.add_argument("--seed", type=int)

    export = add(commands, "export", run_export, "write a model in a form for use elsewhere")
    add_model(export)
    export.add_argument("format", help="adapter, merged, onnx, gguf, ...")
    export.add_argument("folder", type=Path, help="where the files go; it must be new")
    export.add_argument("options", nargs="*", metavar="option=value", help="of the format")
    export.add_argument("--rows", type=Path, help="a data file to measure the perplexity on")
    export.add_argument("--about", type=Path, help="JSON: what the model card is to say")
    export.add_argument("--progress", action="store_true", help="JSON on stderr: how far it is")
    merging.add_to(commands, run_merge)


def config_of(args: argparse.Namespace) -> RunConfig:
    """The file given, with what is given besides. Raises ConfigError."""
    return read_config(args.config, overrides_of(args)).of_this_machine(print_note)


def run_training(args: argparse.Namespace) -> int:
    config = config_of(args)
    stay_off_the_network(config.model.name)
    root = args.folder or Path("runs") / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    show = print_json if args.json or not sys.stdout.isatty() else ProgressLine()
    if needs_launch(config):
        return launch(same_arguments(args, root), config, root, show)
    with open_attempt(root, show) as attempt, release_on_signal(attempt):
        resume = find_checkpoint(args.resume, attempt) if args.resume else None
        config.provider.check_secrets()
        config.provider.fine_tuner()(config, attempt).run(resume)
    if config.provider.local_models and rank() == 0:
        keep_seconds(config, attempt.folder)
    return 0


def same_arguments(args: argparse.Namespace, root: Path) -> list[str]:
    """What this command was called with, its folder named."""
    resume = ["--resume", str(args.resume)] if args.resume else []
    show = ["--json"] if args.json else []
    return ["train", str(args.config), *overrides_of(args), "--folder", str(root), *resume, *show]


def run_estimate(args: argparse.Namespace) -> None:
    from maxaillm.dev.finetune.estimate import estimate

    print_facts(estimate(config_of(args)).as_json(), args)


def run_token_view(args: argparse.Namespace) -> None:
    """Rows token by token, else figures of all. Raises what a run would be refused with."""
    from maxaillm.dev.finetune.cli import tokens

    config = tokens.config_of(args).of_this_machine(print_note)
    stay_off_the_network(config.model.name)
    if args.to is not None:
        tokens.write(config, args)
    elif args.row and not args.json:
        tokens.print_rows(tokens.view_of(config, args.row).rows(args.row))
    else:
        print_facts(tokens.facts_of(config, args), args)


def run_validation(args: argparse.Namespace) -> None:
    """Raises ConfigError, or DataError where the file is not ready to be trained on."""
    config = config_asked(args.config, overrides_of(args)).of_this_machine(print_note)
    stay_off_the_network(config.model.name)
    facts = validation_facts(read_as(config, reading_of(args)))
    print_facts(facts, args)
    if error := facts["error"]:
        raise DataError(error["message"], error["hint"])


def run_evaluation(args: argparse.Namespace) -> None:
    stay_off_the_network(args.model)
    from maxaillm.dev.finetune.hf.evaluation.evaluator import EvaluationFile, evaluate_file

    file = EvaluationFile(args.data, args.split, reading_of(args))
    kind = file.kind()
    model = open_asked(args, args.max_length)
    scores = evaluate_file(
        model.task_for(kind),
        model.answering,
        model.tokenizer,
        file,
        model.max_length,
        names=args.metrics,
    )
    print_facts(scores, args)


def run_generation(args: argparse.Namespace) -> None:
    stay_off_the_network(args.model)
    from maxaillm.model.sampling import SamplingOptions

    model = open_asked(args, args.max_new_tokens + 2048)
    options = SamplingOptions(
        temperature=args.temperature, max_new_tokens=args.max_new_tokens, seed=args.seed
    )
    if args.json or args.pair is not None:
        print_facts(model.answer(args.prompt, args.pair, options), args)
        return
    for piece in model.stream(args.prompt, options):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def open_asked(args: argparse.Namespace, max_length: int) -> LoadedModel:
    """The model that a command names, with what it says of it."""
    from maxaillm.model.opening import open_model

    return open_model(
        args.model,
        args.base,
        max_length=max_length,
        precision=args.precision,
        any_base=args.any_base,
    )


def run_export(args: argparse.Namespace) -> None:
    """The export is replayed against the model; its manifest is shown. Raises ExportError."""
    stay_off_the_network(args.model)
    from maxaillm.dev.finetune.exports import choose_export
    from maxaillm.dev.finetune.exports.shared.about import About
    from maxaillm.dev.finetune.exports.shared.export import Besides, export_model

    options: dict[str, Any] = {}
    for override in args.options:
        apply_override(options, override)
    about = About.model_validate_json(args.about.read_bytes()) if args.about else About()
    besides = Besides(about, args.rows, *([print_progress] if args.progress else []))
    chosen = choose_export(args.format, options)
    known = {"any_base": args.any_base, "besides": besides}
    made = export_model(chosen, args.model, args.folder, args.base, **known)
    print_facts(made, args)


def run_merge(args: argparse.Namespace) -> None:
    stay_off_the_network(args.base)
    from maxaillm.dev.finetune.exports.shared.adapters import merge_asked

    print_facts(merge_asked(args, print_progress), args)


def print_facts(facts: dict[str, Any], args: argparse.Namespace) -> None:
    if args.json or not sys.stdout.isatty():
        sys.stdout.write(json.dumps(facts, allow_nan=False) + "\n")
        return
    for name, value in facts.items():
        text = f"{value:,}" if isinstance(value, int | float) else json.dumps(value)
        sys.stdout.write(f"{name:22} {text}\n")


def stay_off_the_network(model_name: str) -> None:
    """Set before the libraries are imported, which read it once. A Hub name needs the network."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not is_hub_name(model_name):
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
