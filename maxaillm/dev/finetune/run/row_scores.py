"""Row scores: what each held-out row adds to each metric, kept so that runs can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np

from maxaillm.dev.finetune.advice.comparison import Comparison, FloatArray, Judged, compare
from maxaillm.dev.finetune.advice.history import EVAL_LOSS
from maxaillm.dev.finetune.metrics import TokenLoss, metrics
from maxaillm.dev.finetune.processes.plain_files import open_plain
from maxaillm.dev.finetune.run.events.run_metrics import metric_info
from maxaillm.dev.finetune.run.folder import write_atomically
from maxaillm.dev.finetune.run.torchrun import rank

MOST_BYTES = 256_000_000
"""A larger file is not read."""
EXAMPLES, TOKENS = "examples", "tokens"


class RowScores(NamedTuple):
    """By metric, [rows, statistics]. `examples` stands for the numbers of the rows in their data,
    `tokens` for what a model read and had to say: two digests to tell the same rows by."""

    by_metric: dict[str, FloatArray]
    examples: str
    tokens: str

    @classmethod
    def of(cls, by_metric: Mapping[str, FloatArray], examples: Any, *tokens: Any) -> Self:
        return cls(dict(by_metric), digest(examples), digest(*tokens))

    def write(self, path: Path) -> None:
        """By the first of several processes, which all measured the same."""
        if rank():
            return
        content = BytesIO()
        arrays: dict[str, Any] = {f"metric_{name}": rows for name, rows in self.by_metric.items()}
        np.savez(content, **arrays | {EXAMPLES: self.examples, TOKENS: self.tokens})
        write_atomically(path, content.getvalue())

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where there are none, as of runs of before, or they can't be read."""
        try:
            with open_plain(path) as file:
                kept = np.load(BytesIO(file.read(MOST_BYTES)), allow_pickle=False)
                if sum(part.file_size for part in kept.zip.infolist()) > MOST_BYTES:
                    return None
                names = [name for name in kept.files if name.startswith("metric_")]
                found = {name.removeprefix("metric_"): kept[name] for name in names}
                return cls(found, str(kept[EXAMPLES]), str(kept[TOKENS]))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def has_rows_of(self, other: RowScores, metric: str, *, same_data: bool) -> bool:
        """Whether both were measured on the same rows. A figure of tokens asks for the same
        tokens; others for the same rows of the same data, whatever the models read them as."""
        if self.tokens == other.tokens:
            return True
        return same_data and self.examples == other.examples and not is_of_tokens(metric)

    def beside(self, base: RowScores, metric: str, *, same_data: bool) -> Comparison | None:
        """This model beside another by a metric; None where they have no rows in common."""
        ours, theirs = self.by_metric.get(metric), base.by_metric.get(metric)
        if not self.has_rows_of(base, metric, same_data=same_data):
            return None
        higher = metric_info(metric).better == "higher"
        return beside(metric, theirs, ours, higher_is_better=higher)


def digest(*arrays: Any) -> str:
    found = sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def is_of_tokens(metric: str) -> bool:
    return metric == EVAL_LOSS or (metric in metrics and metrics[metric].made_of is TokenLoss)


def beside(
    name: str, base: FloatArray | None, tuned: FloatArray | None, *, higher_is_better: bool
) -> Comparison | None:
    """Both models by the metric; None where one was not measured on the same rows."""
    if base is None or tuned is None or base.shape != tuned.shape:
        return None
    info = metric_info(name)
    judged = Judged(name, info.label, higher_is_better, info.format == "percent")
    figure = mean if name == EVAL_LOSS else metrics[name](name=name).figure
    return compare(judged, figure, base, tuned)


def mean(sums: FloatArray) -> float:
    """The mean loss of the rows whose total losses and tokens sum up to `sums`."""
    return float(sums[0] / sums[1])
