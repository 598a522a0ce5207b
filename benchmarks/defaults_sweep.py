"""Whether a newcomer's run gains by its defaults: they beside a grid around them.

Run: python -m benchmarks.defaults_sweep [--only sql,chat] [--rates 0.3 3] [--epochs 3]
Needs the folder of real data files and small models that the tests know: MAXFT_TEST_DATA=FOLDER.

Six data sets (instructions, SQL, chat, reviews, tales, names), a hundred rows of each, by the
models of 0.2 to 23 M parameters that suit them, with LoRA and in full. A run is judged as users see
it: the held-out rows by the base and by the tuned model, with the verdict's 95 % interval. Results
are kept in a file, and a sweep that was interrupted goes on behind what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from tests.real_data import TEST_DATA

Row = dict[str, Any]
HELD_OUT = 50
WIDTH = 128
"""Tokens of a row: a few of these models see no more than 128."""
MULTIPLES, EPOCHS = (0.3, 3.0), (3.0,)
"""The grid: of the recommended learning rate, and other epochs than the recommended."""
METHODS = ("lora", "full")


def whole(path: Path) -> list[Row]:
    """A JSON array, or an object a line, whose format is recognised as it is."""
    text = path.read_text(encoding="utf-8")
    rows: list[Row] = (
        json.loads(text) if text.startswith("[") else [json.loads(row) for row in text.splitlines()]
    )
    return rows


def columns(*names: str) -> Callable[[Path], list[Row]]:
    """Columns between tabs, by the names that are recognised."""

    def read(path: Path) -> list[Row]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [dict(zip(names, line.split("\t"), strict=True)) for line in lines if line]

    return read


def paragraphs(path: Path) -> list[Row]:
    texts = path.read_text(encoding="utf-8").split("\n\n")
    return [{"text": text.replace("\n", " ")} for text in texts if len(text) > WIDTH]


class DataSet(NamedTuple):
    file: str
    read: Callable[[Path], list[Row]]
    models: tuple[str, ...]
    """`starter/chat`, or folders beside the data."""
    metric: str = "perplexity"


DATA_SETS = {
    "instructions": DataSet("instruction/alpaca_en_demo.json", whole, ("starter/chat",)),
    "sql": DataSet("instruction/mlx_wikisql_text_train.jsonl", whole, ("starter/chat",)),
    "chat": DataSet("chat/fastchat_dummy_conversation.json", whole, ("starter/chat",)),
    "reviews": DataSet(
        "classification/amazon_cells_labelled.txt",
        columns("text", "label"),
        ("starter/chat", "minilm-l6-h384"),
        "accuracy",
    ),
    "tales": DataSet("text/grimms_fairy_tales.txt", paragraphs, ("stories260k",)),
    "names": DataSet(
        "seq2seq/ar2en_train.txt", columns("prompt", "completion"), ("aren-translit-blenderbot",)
    ),
}


class Case(NamedTuple):
    """A run; options that are None are left to their defaults."""

    data: str
    model: str
    method: str
    multiple: float | None = None
    """Of the recommended learning rate."""
    epochs: float | None = None

    @property
    def pair(self) -> str:
        return f"{self.data}, {self.model}, {self.method}"


class Outcome(NamedTuple):
    """What a verdict compared, and what it took."""

    code: str
    base: float
    tuned: float
    gain: float
    low: float
    high: float
    learning_rate: float
    epochs: float
    steps: int
    lowest: float
    """The least validation loss of all evaluations, the end's among them."""
    seconds: float
    """Of the processor."""


class Sweep:
    """Runs each case once, and keeps what came of it in a file."""

    def __init__(self, folder: Path, results: Path, rows: int) -> None:
        self.folder, self.file, self.rows = folder, results, rows
        text = results.read_text(encoding="utf-8") if results.exists() else "{}"
        self.kept: dict[str, list[Any]] = json.loads(text)

    def files(self, name: str) -> tuple[Path, Path]:
        """Rows to train on and others to hold out, drawn from a data set."""
        data = DATA_SETS[name]
        found = data.read(TEST_DATA / "data" / data.file)
        random.Random(0).shuffle(found)
        paths = (self.folder / f"{name}-train.jsonl", self.folder / f"{name}-held-out.jsonl")
        parts = (found[HELD_OUT : HELD_OUT + self.rows], found[:HELD_OUT])
        for path, rows in zip(paths, parts, strict=True):
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return paths

    def outcome(self, case: Case) -> Outcome:
        key = f"{case.pair}, {case.multiple}, {case.epochs}, {self.rows} rows"
        if key not in self.kept:
            self.kept[key] = list(self.run(case))
            self.file.write_text(json.dumps(self.kept, indent=1), encoding="utf-8")
        return Outcome(*self.kept[key])

    def run(self, case: Case) -> Outcome:
        from maxaillm.dev.finetune.config import RunConfig
        from maxaillm.dev.finetune.estimate import estimate
        from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
        from maxaillm.dev.finetune.run.attempt import Attempt

        settings = self.settings(case)
        if case.multiple is not None:
            recommended = estimate(RunConfig.parse(settings)).learning_rate
            settings["training"]["learning_rate"] = case.multiple * recommended
        began = time.process_time()
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as place,
            Attempt(Path(place), lambda event: None) as attempt,
        ):
            tuning = MaxHuggingFaceFineTuning(settings, attempt)
            tuning.run()
        verdict, history = tuning.verdict, tuning.history
        assert verdict is not None
        assert history is not None
        found = verdict.comparison
        assert found is not None
        losses = [one.number("eval_loss") or 0.0 for one in history.evaluations if one.step]
        return Outcome(
            code=verdict.code,
            base=found.base,
            tuned=found.tuned,
            gain=found.gain,
            low=found.low or 0.0,
            high=found.high or 0.0,
            learning_rate=tuning.config.learning_rate,
            epochs=tuning.config.training.num_train_epochs or 0.0,
            steps=tuning.steps,
            lowest=min(losses),
            seconds=time.process_time() - began,
        )

    def settings(self, case: Case) -> Row:
        train, held_out = self.files(case.data)
        starter = case.model.startswith("starter/")
        return {
            "model": {
                "name": case.model if starter else str(TEST_DATA / "models" / case.model),
                "precision": "fp32",
            },
            "data": {
                "train_file": str(train),
                "validation_file": str(held_out),
                "max_length": WIDTH,
            },
            "training": {} if case.epochs is None else {"num_train_epochs": case.epochs},
            "tuning": {"name": case.method},
            "evaluation": {"metrics": [DATA_SETS[case.data].metric]},
        }


def pairs(names: Iterable[str]) -> Iterator[Case]:
    """Each data set and model with each method, all by its defaults."""
    for name in names:
        for model, method in product(DATA_SETS[name].models, METHODS):
            yield Case(name, model, method)


def grid(default: Case, multiples: Sequence[float], epochs: Sequence[float]) -> Iterator[Case]:
    """One of the two changed."""
    for multiple in multiples:
        yield default._replace(multiple=multiple)
    for number in epochs:
        yield default._replace(epochs=number)


def said(found: Outcome) -> str:
    return (
        f"{found.gain:.3g} at {found.learning_rate:.1g}, {found.epochs:g} epochs "
        f"(loss {found.base:.3g} to {found.tuned:.3g}, lowest {found.lowest:.3g})"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    kept = Path(tempfile.gettempdir()) / "defaults_sweep.json"
    parser.add_argument("--results", type=Path, default=kept)
    parser.add_argument("--only", default=",".join(DATA_SETS), help="data sets, by commas")
    parser.add_argument("--rates", type=float, nargs="*", default=MULTIPLES)
    parser.add_argument("--epochs", type=float, nargs="*", default=EPOCHS)
    parser.add_argument("--rows", type=int, default=100)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print("| run | verdict | gain by the defaults | 95 % | steps | best of the grid |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        sweep = Sweep(Path(folder), asked.results, asked.rows)
        for default in pairs(asked.only.split(",")):
            found = sweep.outcome(default)
            others = [sweep.outcome(case) for case in grid(default, asked.rates, asked.epochs)]
            best = max(others, key=lambda outcome: outcome.gain, default=found)
            print(
                f"| {default.pair} | {found.code} | {said(found)} "
                f"| {found.low:.3g} to {found.high:.3g} | {found.steps}, {found.seconds:.0f} s "
                f"| {said(best)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
