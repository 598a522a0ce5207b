"""What the tab Statistics shows: histograms whose bars know their place, and shares of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.data.columns import PART_TITLES
from maxaillm.dev.finetune.data.columns.messages import AnswerColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds

SHOWN_SHARES = 30
SMALLEST_PERCENT = 0.1
HEIGHT = 40
"""Of the drawing, which is 100 wide; it is stretched to its card."""


class Bar(NamedTuple):
    span: str
    rows: int
    percent: str
    x: float
    y: float
    width: float
    height: float


class Histogram(NamedTuple):
    """`unit` is what the lengths are counted in, `things` what is counted."""

    name: str
    title: str
    unit: str
    things: str
    mean: float
    least: str
    most: str
    total: int
    highest: int
    bars: list[Bar]

    @property
    def description(self) -> str:
        return f"{self.total:,} {self.things}, from {self.least} to {self.most} {self.unit}"


class Share(NamedTuple):
    name: str
    rows: int
    percent: str
    url: str = ""


class Shares(NamedTuple):
    """Parts of a whole beside each other; `unshown` of them are too small to be shown."""

    name: str
    title: str
    head: str
    things: str
    largest: int
    shares: list[Share]
    unshown: int = 0


def histograms(version: DatasetVersion) -> Iterator[Histogram]:
    found: Mapping[str, Any] = version.facts["statistics"]
    kind = example_kinds.stored_as(found["kind"])
    words = titles_of(kind) if kind is not None else PART_TITLES
    chars: Mapping[str, Any] = found["chars"]
    for part in sorted(chars, key=lambda name: (name not in words, [*words, name].index(name))):
        title = f"Length: {words.get(part, part.capitalize()).lower()}"
        yield histogram(f"chars-{part}", title, "characters", "texts", chars[part])
    if "turns" in found:
        yield histogram("turns", "Turns of a conversation", "turns", "rows", found["turns"])
    if "scores" in found:
        yield histogram("scores", "Score", "", "rows", found["scores"])


def titles_of(kind: type[Example]) -> dict[str, str]:
    """What the texts of a row are called, in the order in which they are shown."""
    answers = kind.columns_of(AnswerColumn)
    if not answers:
        return PART_TITLES
    good = next((answer.good for answer in answers if answer.good), "Good")
    poor = next((answer.poor for answer in answers if answer.poor), "Poor")
    return {
        **PART_TITLES,
        "assistant": "Earlier answer",
        "wanted": f"{good} answer",
        "unwanted": f"{poor} answer",
    }


def histogram(name: str, title: str, unit: str, things: str, found: Mapping[str, Any]) -> Histogram:
    bins, count = found["bins"], found["count"]
    highest = max(rows for _, _, rows in bins)
    width = 100 / len(bins)
    bars = []
    for place, (begin, end, rows) in enumerate(bins):
        height = HEIGHT * rows / highest
        span = shown(begin) if begin == end else f"{shown(begin)} to {shown(end)}"
        x = place * width + 0.05 * width
        bars.append(Bar(span, rows, percent(rows, count), x, HEIGHT - height, 0.9 * width, height))
    least, most = shown(found["min"]), shown(found["max"])
    return Histogram(name, title, unit, things, found["mean"], least, most, count, highest, bars)


def shown(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.4g}"


def tables(version: DatasetVersion, findings: Mapping[str, str]) -> Iterator[Shares]:
    """Of labels, tags, splits and findings those that there are; `findings` has their words."""
    facts, rows = version.facts, version.rows
    labels, tags = facts["labels"], facts["statistics"].get("tags", {})
    if tags:
        yield shares("tags", "Tags of words", "Tag", "words", tags, sum(tags.values()))
    if labels:
        title = "Rows with each tag" if tags else "Rows of each label"
        yield with_urls(
            shares("labels", title, "Tag" if tags else "Label", "rows", labels, rows),
            version,
            "datasets:dataset",
            "label",
            {name: name for name in labels},
        )
    yield with_urls(
        shares("splits", "Splits", "Split", "rows", facts["splits"], rows),
        version,
        "datasets:dataset",
        "split",
        {name: name for name in facts["splits"]},
    )
    if findings:
        counted = {words: facts["findings"][code] for code, words in findings.items()}
        codes = {words: code for code, words in findings.items()}
        whole = rows + version.bad_rows
        table = shares("findings", "Findings", "Finding", "findings", counted, whole)
        yield with_urls(table, version, "datasets:dataset-findings", "code", codes)


def shares(
    name: str, title: str, head: str, things: str, counts: Mapping[str, int], whole: int
) -> Shares:
    """The largest parts first; a row may be in several, so that they need not make a whole."""
    ordered = sorted(counts, key=lambda part: (-counts[part], part))
    shown = [
        Share(part, counts[part], percent(counts[part], whole)) for part in ordered[:SHOWN_SHARES]
    ]
    largest = shown[0].rows if shown else 0
    return Shares(name, title, head, things, largest, shown, len(ordered) - len(shown))


def with_urls(
    table: Shares, version: DatasetVersion, view: str, parameter: str, values: Mapping[str, str]
) -> Shares:
    """The same, each part with the address of the page that shows what is in it."""
    page = reverse(view, args=[version.dataset_id])
    linked = [
        share._replace(
            url=f"{page}?{urlencode({parameter: values[share.name], 'v': version.number})}"
        )
        for share in table.shares
    ]
    return table._replace(shares=linked)


def percent(part: int, whole: int) -> str:
    """With a decimal, and never a bound that it does not reach."""
    share = 100 * part / max(1, whole)
    if 0 < share < SMALLEST_PERCENT:
        return f"< {SMALLEST_PERCENT}"
    shown = share if part == whole else min(share, 100 - SMALLEST_PERCENT)
    return f"{shown:.1f}".removesuffix(".0")
