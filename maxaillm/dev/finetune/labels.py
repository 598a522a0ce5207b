"""The classes of a labelled data set, and what is odd about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from maxaillm.dev.finetune.findings import Finding, shown

MAX_CLASSES = 10_000


class LabelCount:
    """How many rows each class has, and where it came first."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.places: dict[str, tuple[int, int]] = {}
        self.is_full = False

    def add(self, label: str, row: int, line: int) -> None:
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
        if len(self.rows) == 1:
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
