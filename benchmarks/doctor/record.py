"""Record of a run of the corpus: what the doctor sees of it, and what it does not see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from math import nan
from pathlib import Path
from typing import Any, Literal

from maxaillm.dev.finetune.advice.comparison import Comparison
from maxaillm.dev.finetune.advice.history import (
    EndCount,
    Evaluation,
    LabelCount,
    RunHistory,
    TokenCounts,
)

FILE = Path(__file__).parent.parent.parent / "tests/engine/advice/corpus.jsonl"
SECTIONS = ("training.", "data.", "model.")
Half = Literal["building", "untouched"]


@dataclass
class Unseen:
    """Facts of a run beyond its own record: what its truth is decided by."""

    exam: list[tuple[int, float | None]] = field(default_factory=list)
    """Loss on many further rows, after the step of each evaluation."""
    exam_rows: int = 0
    exam_guess: float | None = None
    error_of_one_row: float | None = None
    """Standard error of the gain, were a single row held out; of n rows, by the root of n less."""
    recalls: list[tuple[str, float, int, int]] = field(default_factory=list)
    """Label, share of the training rows, exam rows with it, and how many were told."""
    stops: tuple[int, int] | None = None
    """Answers that were written to exam prompts, and how many ended by themselves."""
    poisoned_steps: list[int] = field(default_factory=list)
    has_poison: bool = False
    slept_share: float = 0.0
    """Of the time, by how much the reading of rows was slowed down."""
    cut_share: float = 0.0
    """Of the training rows, those longer than the maximum length."""
    trained_share: float = 1.0
    memory_limit: int | None = None
    """Sequences that fitted into memory at once, where that was limited."""
    failed: str = ""


@dataclass
class Record:
    """One run. Runs of one `group` have model, task, method and seed in common; those of one
    `data` besides that their rows and number of steps, so that they differ in options alone."""

    group: str
    condition: str
    data: str
    seconds: float
    verdict: str
    history: RunHistory
    unseen: Unseen

    @property
    def name(self) -> str:
        return f"{self.group} {self.condition}"

    @property
    def half(self) -> Half:
        """Whole groups fall into a half, so that no run has a sibling in the other."""
        digest = hashlib.blake2b(f"doctor 1 {self.group}".encode(), digest_size=8).digest()
        return "building" if digest[0] % 2 else "untouched"

    def dumped(self) -> str:
        """One line of JSON; numbers with six digits."""
        return json.dumps(short(asdict(self) | {"history": plain(self.history)}))

    @classmethod
    def loaded(cls, line: str) -> Record:
        raw = json.loads(line)
        return cls(**raw | {"history": history(raw["history"]), "unseen": Unseen(**raw["unseen"])})


def read(file: Path = FILE) -> list[Record]:
    return [Record.loaded(line) for line in file.read_text(encoding="utf-8").splitlines()]


def plain(found: RunHistory) -> dict[str, Any]:
    """A history as JSON can hold it: options that are plain values, NaN as None."""
    kept = asdict(found)
    kept["comparison"] = found.comparison and found.comparison.model_dump()
    kept["options"] = {
        name: value
        for name, value in found.options.items()
        if isinstance(value, int | float | str | bool) and "file" not in name and "name" not in name
    }
    kept["evaluations"] = [
        [step, {name: v for name, v in scores.items() if name in {"eval_loss", "accuracy"}}]
        for step, scores in found.evaluations
    ]
    return kept


def history(raw: dict[str, Any]) -> RunHistory:
    tokens, ends, compared = raw["tokens"], raw["ends"], raw["comparison"]
    numbers = {name: [nan if v is None else v for v in raw[name]] for name in ("losses", "rates")}
    norms = [nan if value is None else value for value in raw["grad_norms"]]
    made = {
        "evaluations": [Evaluation(step, scores) for step, scores in raw["evaluations"]],
        "grad_norms": norms,
        "tokens": tokens and TokenCounts(*tokens),
        "ends": ends and EndCount(*ends),
        "labels": [LabelCount(*label) for label in raw["labels"]],
        "comparison": compared and Comparison(**compared),
    }
    return RunHistory(**raw | numbers | made)


def short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if value - value == 0 else None
    if isinstance(value, dict):
        return {name: short(each) for name, each in value.items()}
    return [short(each) for each in value] if isinstance(value, list | tuple) else value
