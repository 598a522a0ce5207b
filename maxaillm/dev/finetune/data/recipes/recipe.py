"""Recipe: fixes in their order, applied to all rows of a store, and what each one did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import ValidationError

from maxaillm.dev.finetune.components.problems import problems_of
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.batch import Batch, chars_of
from maxaillm.dev.finetune.data.store.changes import problem_of_stored
from maxaillm.dev.finetune.data.store.chunks import batched
from maxaillm.dev.finetune.data.store.store import RowStore
from maxaillm.dev.finetune.errors import ConfigError, DataError, Problem

Recipe = Sequence[Fix]
SHOWN_CHANGES = 20


@dataclass
class FixCount:
    """What one fix did."""

    name: str
    changed: int = 0
    dropped: int = 0
    unusable: int = 0
    """Of those dropped the rows that nothing could be learned from once they were changed."""


@dataclass
class Outcome:
    """What became of the rows that were looked at: each is kept or dropped."""

    fixes: list[FixCount]
    rows: int = 0
    kept: int = 0
    changed: int = 0
    """Of those kept; a row that two fixes changed counts once here, and once at each."""
    dropped: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    """Of those kept, how many each split has."""

    def count(self, change: Change) -> None:
        self.rows += 1
        if change.after is None:
            self.dropped += 1
        else:
            self.kept += 1
            self.splits[change.after.get("split", "train")] += 1
            self.changed += change.after is not change.before


class Change(NamedTuple):
    """A row before and after; the same object where nothing changes, None where it is left out."""

    number: int
    before: StoredExample
    after: StoredExample | None


class Preview(NamedTuple):
    """What a recipe would do."""

    changes: list[Change]
    """The first rows that would change or be left out."""
    outcome: Outcome
    is_complete: bool
    """Whether every row was looked at; else there are at least as many changes as counted."""


def apply(
    recipe: Recipe,
    store: RowStore,
    on_batch: Callable[[Batch], object],
    *,
    flagged: Collection[int] = (),
    only_flagged: bool = False,
    locked: Collection[str] = (),
) -> Outcome:
    """Give `on_batch` (RowWriter.add) every row that is kept, numbered anew from 1.

    `flagged` are the numbers of rows that findings name, for the fixes that ask for them; with
    `only_flagged` every fix touches these alone. Rows of `locked` splits stay as they are, and no
    other row gets into them.
    Raises DataError where no row would be left.
    """
    run = RecipeRun(recipe, store, Editable(frozenset(flagged), only_flagged, frozenset(locked)))
    outcome = Outcome(run.new_counts())
    kept = (change.after for change in run.changes(outcome) if change.after is not None)
    for batch in batched(store.kind, kept):
        on_batch(batch)
    if not outcome.kept:
        message = f"None of the {outcome.rows:,} rows would be left."
        raise DataError(message, "Drop less.", code="no_rows_left")
    return outcome


def preview(  # noqa: PLR0913
    recipe: Recipe,
    store: RowStore,
    limit: int = SHOWN_CHANGES,
    *,
    max_rows: int | None = None,
    max_chars: int | None = None,
    flagged: Collection[int] = (),
    only_flagged: bool = False,
    locked: Collection[str] = (),
) -> Preview:
    """The first `limit` changes, and the counts over all rows, or over the first `max_rows`, or
    over those that hold the first `max_chars` of text."""
    run = RecipeRun(recipe, store, Editable(frozenset(flagged), only_flagged, frozenset(locked)))
    outcome = Outcome(run.new_counts())
    shown: list[Change] = []
    chars = 0
    for change in run.changes(outcome):
        if change.after is not change.before and len(shown) < limit:
            shown.append(change)
        chars += chars_of(change.before)
        if outcome.rows == max_rows or (max_chars is not None and chars > max_chars):
            break
    return Preview(shown, outcome, is_complete=outcome.rows == len(store))


class Editable(NamedTuple):
    """Which rows may be touched at all."""

    flagged: Collection[int]
    only_flagged: bool
    locked: Collection[str]

    def has(self, number: int, example: StoredExample) -> bool:
        is_meant = not self.only_flagged or number in self.flagged
        return is_meant and example.get("split", "train") not in self.locked


@dataclass
class RecipeRun:
    """A recipe at work on a store: each fix gets ready behind those before it."""

    recipe: Recipe
    store: RowStore
    editable: Editable
    ready: list[Fix] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        for prepared in self.recipe:
            fix = prepared.for_rows_of(self.store.kind)
            if fix.looks_ahead:
                self.show_rows(fix)
            fix.begin(self.editable.flagged)
            self.ready.append(fix)

    def show_rows(self, fix: Fix) -> None:
        for number, before, after in self.changes(Outcome(self.new_counts())):
            if after is not None:
                fix.see(after, is_locked=not self.editable.has(number, before))

    def new_counts(self) -> list[FixCount]:
        return [FixCount(fix.name) for fix in self.ready]

    def changes(self, outcome: Outcome) -> Iterator[Change]:
        """Every row as it comes out of the fixes that are ready."""
        steps = list(zip(self.fresh(), outcome.fixes, strict=True))
        for batch in self.store.batches():
            for number, example in zip(batch.numbers, batch.examples, strict=True):
                is_editable = self.editable.has(number, example)
                after = self.fixed(steps, number, example) if is_editable else example
                change = Change(number, example, after)
                outcome.count(change)
                yield change

    def fresh(self) -> list[Fix]:
        """The fixes as they are before the first row, however often that comes."""
        return [fix.model_copy(deep=True) for fix in self.ready]

    def fixed(
        self, steps: Sequence[tuple[Fix, FixCount]], number: int, example: StoredExample
    ) -> StoredExample | None:
        for fix, count in steps:
            after = self.kept_out(example, fix.apply(number, example))
            if after is None:
                count.dropped += 1
                return None
            if after is example or after == example:
                continue
            if self.is_unusable(example, after):
                count.dropped += 1
                count.unusable += 1
                return None
            count.changed += 1
            example = after
        return example

    def is_unusable(self, before: StoredExample, after: StoredExample) -> bool:
        """Whether nothing can be learned from a row now; to another split it moves as it is."""
        is_same = all(after.get(name) is before[name] for name in before if name != "split")
        return not is_same and problem_of_stored(self.store.kind, after) is not None

    def kept_out(self, before: StoredExample, after: StoredExample | None) -> StoredExample | None:
        """`after` in the split of `before`, where it would get into a locked one."""
        if after is None or after.get("split", "train") not in self.editable.locked:
            return after
        others = {name: value for name, value in after.items() if name != "split"}
        return others | {"split": before["split"]} if "split" in before else others


def recipe_of(steps: Sequence[Mapping[str, Any]]) -> list[Fix]:
    """The fixes that are written down as objects with a name and options.

    Raises UnknownComponentError, or ConfigError with every mistake by its path: `0.factor`.
    """
    made: list[Fix] = []
    problems: list[Problem] = []
    for place, step in enumerate(steps):
        cls = fixes[str(step.get("name", ""))]
        try:
            made.append(cls.model_validate(step))
        except ValidationError as error:
            found = problems_of(cls, error)
            problems += (problem._replace(path=f"{place}.{problem.path}") for problem in found)
    if problems:
        raise ConfigError(problems)
    return made
