"""The classes of a labelled dataset, and what is odd about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from maxaillm.dev.finetune.data.analysis.findings import Finding, shown
from maxaillm.dev.finetune.data.formats import Example, Judged, Labelled, MultiLabelled, Tagged

MAX_CLASSES = 10_000


def classes_of(example: Example) -> Sequence[str]:
    """The classes that `example` is one of, each once."""
    match example:
        case Labelled(label=label):
            return [label]
        case MultiLabelled(labels=labels):
            return labels
        case Tagged(tags=tags):
            return list(dict.fromkeys(tags))
        case Judged(desirable=desirable):
            return ["desirable" if desirable else "undesirable"]
    return []


class LabelCount:
    """How many rows each class has, and where it came first."""

    def __init__(self) -> None:
        self.seen = 0
        self.rows: dict[str, int] = {}
        self.places: dict[str, tuple[int, int]] = {}
        self.is_full = False

    def add(self, labels: Iterable[str], row: int, line: int) -> None:
        self.seen += 1
        for label in labels:
            self.add_label(label, row, line)

    def add_label(self, label: str, row: int, line: int) -> None:
        if label in self.rows:
            self.rows[label] += 1
        elif len(self.rows) < MAX_CLASSES:
            self.rows[label] = 1
            self.places[label] = row, line
        else:
            self.is_full = True

    def findings(self) -> Iterator[Finding]:
        if self.is_full:
            message = f"There are more than {MAX_CLASSES:,} classes."
            yield warning(
                None, "many_classes", message, "Look whether the label is the right column."
            )
            return
        if list(self.rows.values()) == [self.seen]:
            message = f"All rows have the label {shown(next(iter(self.rows)), 80)!r}."
            yield warning(None, "single_class", message, "Add rows of other classes.")
        for variants in self.variants():
            names = ", ".join(repr(shown(label, 60)) for label in variants[:5])
            message = f"These labels differ only by case or spaces: {names}."
            fix = "Write them in one way; else each is a class of its own."
            yield warning(self.places[variants[-1]], "label_variants", message, fix)
        for label, count in self.rows.items():
            if count == 1:
                message = f"The class {shown(label, 80)!r} has one row only."
                fix = "Add rows, or join it with another class."
                yield warning(self.places[label], "rare_class", message, fix)

    def variants(self) -> list[list[str]]:
        spellings: dict[str, list[str]] = defaultdict(list)
        for label in self.rows:
            spellings[" ".join(label.split()).casefold()].append(label)
        return [labels for labels in spellings.values() if len(labels) > 1]


def warning(place: tuple[int, int] | None, code: str, message: str, fix: str) -> Finding:
    row, line = place or (None, None)
    return Finding(row=row, line=line, code=code, message=message, fix=fix, level="warning")
