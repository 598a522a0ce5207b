"""Metrics of compared runs: values with their intervals, and paired differences to a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from jobs.models import Run
from jobs.run_page.scores import Score, is_number, score_of
from jobs.run_page.verdict import ROOM
from maxaillm.dev.finetune.advice.comparison import Comparison
from maxaillm.dev.finetune.advice.history import EVAL_LOSS
from maxaillm.dev.finetune.metrics import metrics
from maxaillm.dev.finetune.run.events.metric_info import MetricInfo
from maxaillm.dev.finetune.run.events.run_metrics import metric_info
from maxaillm.dev.finetune.run.row_scores import RowScores

Meaning = Literal["better", "worse", "open", "few"]


MEANINGS: dict[Meaning, tuple[str, str]] = {
    "better": ("up", "better"),
    "worse": ("down", "worse"),
    "open": ("more", "can't tell yet"),
    "few": ("more", "too few rows"),
}
"""Icon and word."""


class Beside(NamedTuple):
    """A difference to the baseline in words, and as a line with nought in the middle."""

    words: str
    error: str
    """Half the width of its interval; empty where there are too few rows for one."""
    meaning: Meaning
    found: Comparison
    low: str = ""
    high: str = ""
    gain: str = ""

    @property
    def icon(self) -> str:
        return MEANINGS[self.meaning][0]

    @property
    def word(self) -> str:
        return MEANINGS[self.meaning][1]


class Cell(NamedTuple):
    """What one run measured by one metric; None where it did not."""

    score: Score | None
    value: float | None
    beside: Beside | None
    without: str
    """Why there is no difference, where both were measured; empty for the baseline."""


class ScoreRow(NamedTuple):
    run: Run
    is_baseline: bool
    cells: list[Cell]


class ScoreTable(NamedTuple):
    """Rows are runs, columns are metrics."""

    metrics: list[tuple[str, MetricInfo]]
    rows: list[ScoreRow]

    def sorted(self, sort: str) -> ScoreTable:
        """By a metric, the best first, with a minus the worst; what lacks it comes last."""
        name = sort.removeprefix("-")
        place = next((i for i, (metric, _) in enumerate(self.metrics) if metric == name), None)
        if place is None:
            return self
        upwards = (self.metrics[place][1].better == "higher") == sort.startswith("-")
        measured = [row for row in self.rows if row.cells[place].value is not None]
        rest = [row for row in self.rows if row.cells[place].value is None]
        measured.sort(key=lambda row: row.cells[place].value or 0.0, reverse=not upwards)
        return self._replace(rows=[*measured, *rest])


def score_table(runs: Sequence[Run], baseline: Run | None) -> ScoreTable:
    names = measured_by(runs)
    kept = {run.pk: RowScores.read(run.attempt_folder(run.attempt).row_scores) for run in runs}
    columns = [column(name, runs, baseline, kept) for name in names]
    rows = [
        ScoreRow(run, run == baseline, [cells[place] for cells in columns])
        for place, run in enumerate(runs)
    ]
    return ScoreTable([(name, metric_info(name)) for name in names], rows)


def measured_by(runs: Sequence[Run]) -> list[str]:
    """The validation loss, then the metrics of the runs in their order."""
    found = dict.fromkeys(name for run in runs for name in run.metrics)
    known = [EVAL_LOSS, *(name for name in found if name in metrics)]
    return [name for name in known if any(is_number(run.metrics.get(name)) for run in runs)]


def column(
    name: str, runs: Sequence[Run], baseline: Run | None, kept: Mapping[int, RowScores | None]
) -> list[Cell]:
    pairs = {
        run.pk: paired(name, run, baseline, kept) for run in runs if baseline and run != baseline
    }
    ends = [end for found in pairs.values() if found for end in (found.low, found.high) if end]
    reach = ROOM * max((abs(end) for end in ends), default=0.0)
    return [cell(name, run, pairs.get(run.pk), reach, is_base=run == baseline) for run in runs]


def paired(
    name: str, run: Run, baseline: Run, kept: Mapping[int, RowScores | None]
) -> Comparison | None:
    ours, theirs = kept[run.pk], kept[baseline.pk]
    if ours is None or theirs is None:
        return None
    return ours.beside(theirs, name, same_data=have_same_data(run, baseline))


def have_same_data(run: Run, other: Run) -> bool:
    if run.dataset is None or other.dataset is None:
        return False
    return run.dataset == other.dataset or (
        bool(run.dataset.rows_sha256) and run.dataset.rows_sha256 == other.dataset.rows_sha256
    )


def cell(name: str, run: Run, found: Comparison | None, reach: float, *, is_base: bool) -> Cell:
    value = run.metrics.get(name)
    if not is_number(value):
        return Cell(None, None, None, "")
    score = score_of(name, run.metrics)
    if found is not None:
        return Cell(score, value, beside(found, reach), "")
    return Cell(score, value, None, "" if is_base else "not on the same rows")


def beside(found: Comparison, reach: float) -> Beside:
    words = found.signed(found.tuned - found.base)  # whichever direction is better
    if found.low is None or found.high is None:
        return Beside(words, "", "few", found)
    error = found.distance((found.high - found.low) / 2)
    meaning: Meaning = "open"
    if not found.low <= 0 <= found.high:
        meaning = "better" if found.low > 0 else "worse"

    def place(value: float) -> str:
        return f"{50 + 50 * value / reach:.2f}%" if reach else "50%"

    ends = (place(value) for value in (found.low, found.high, found.gain))
    return Beside(words, error, meaning, found, *ends)


def as_json(table: ScoreTable) -> list[dict[str, Any]]:
    """Metric by metric, with the value and the difference of each run."""
    return [
        {
            "name": name,
            "label": info.label,
            "better": info.better,
            "values": {
                row.run.pk: {
                    "value": row.cells[place].value,
                    "interval": row.run.metrics.get(f"{name}_interval"),
                    **difference_json(row.cells[place]),
                }
                for row in table.rows
            },
        }
        for place, (name, info) in enumerate(table.metrics)
    ]


def difference_json(cell: Cell) -> dict[str, Any]:
    if cell.beside is None:
        return {"difference": None, "why": cell.without}
    found = cell.beside.found
    sign = 1 if found.higher_is_better else -1
    ends = [sign * end for end in (found.low, found.high) if end is not None]
    return {
        "difference": {
            "value": found.tuned - found.base,
            "interval": sorted(ends) or None,
            "rows": found.rows,
            "meaning": cell.beside.meaning,
        },
        "why": "",
    }
