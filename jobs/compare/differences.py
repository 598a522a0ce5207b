"""Differences of configuration: the options in which compared runs are not all alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from jobs.models import Run
from jobs.run_page.config_rows import config_rows
from jobs.run_search.fields import option_paths
from maxaillm.dev.finetune.errors import FineTuneError

ABSENT = "–"


class Value(NamedTuple):
    """What one run has; `differs` from the baseline."""

    run: int
    text: str
    differs: bool


class Difference(NamedTuple):
    """One option by its path, with the value of each run."""

    path: str
    title: str
    values: list[Value]


class Differences(NamedTuple):
    rows: list[Difference]
    equal: int
    """How many options are alike in all."""


def differences(runs: Sequence[Run], baseline: Run | None) -> Differences:
    """In the order of the form, data and model first."""
    options = {run.pk: options_of(run) for run in runs}
    titles = {path: title for found in options.values() for path, (title, _) in found.items()}
    order = {path: place for place, path in enumerate((*FACTS, *option_paths()))}
    rows, equal = [], 0
    for path in sorted(titles, key=lambda path: order.get(path, len(order))):
        texts = {pk: found.get(path, ("", ABSENT))[1] for pk, found in options.items()}
        if len(set(texts.values())) == 1:
            equal += 1
            continue
        base = texts.get(baseline.pk if baseline else 0)
        values = [Value(pk, text, text != base) for pk, text in texts.items()]
        rows.append(Difference(path, titles[path], values))
    return Differences(rows, equal)


FACTS = ("data.dataset", "model.name")


def options_of(run: Run) -> dict[str, tuple[str, str]]:
    """Path -> its title and its value in words."""
    facts = {
        "data.dataset": ("Dataset", str(run.dataset or ABSENT)),
        "model.name": ("Base model", run.base_model.short_name if run.base_model else ABSENT),
    }
    try:
        rows = config_rows(run.parsed_config)
    except (FineTuneError, ValidationError):  # of an older site, or with a plug-in that is gone
        return facts | {path: (path, str(value)) for path, value in plain(run.config)}
    return facts | {row.path: (row.title, row.value) for row in rows}


def plain(config: dict[str, Any], at: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in config.items():
        path = f"{at}.{name}".lstrip(".")
        found += plain(value, path) if isinstance(value, dict) else [(path, value)]
    return found
