"""Train, validation and test splits: put each row into one."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection
from hashlib import blake2b
from typing import ClassVar, Literal, Self

import orjson
from pydantic import Field, PrivateAttr, model_validator

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.fixes.shared.split_shares import (
    Cut,
    apportioned,
    cuts,
    groups_of_size,
)
from maxaillm.dev.finetune.data.rows.splits import Split

BETWEEN_WORDS = re.compile(r"\W+")
HELD_OUT: tuple[Split, ...] = ("test", "validation")


def new_counts() -> dict[str, Counter[Split]]:
    return defaultdict(Counter)


def new_hashes() -> dict[str, array[int]]:
    return defaultdict(lambda: array("Q"))


def hashes_by_split() -> dict[Split, array[int]]:
    return defaultdict(lambda: array("Q"))


@fixes.register
class AssignSplits(Fix):
    """Draws which rows measure the model; the same seed and rows give the same splits."""

    label: ClassVar[str] = "Split into train, validation and test"
    summary: ClassVar[str] = "Puts each row into the train, validation or test split."
    looks_ahead: ClassVar[bool] = True
    why_left_out: ClassVar[str] = "their source is in a locked split"

    name: Literal["assign_splits"] = "assign_splits"
    validation: float = Field(
        0.1,
        ge=0,
        lt=1,
        title="Validation",
        description="The share that is measured on while training: 0.1 is a tenth.",
    )
    test: float = Field(
        0.1,
        ge=0,
        lt=1,
        title="Test",
        description="The share that is kept for the end: nothing is chosen by it.",
    )
    by: Literal["random", "label", "source"] = Field(
        "random",
        title="How",
        description="By label, each class has the same share in every split. By source, rows with "
        "the same question or text stay together, capitals and marks aside; those that share it "
        "with a locked row are left out.",
        json_schema_extra={
            "labels": {"random": "At random", "label": "By label", "source": "By source"}
        },
    )
    keep_assigned: bool = Field(
        True,
        title="Keep what is assigned",
        description="Rows that name a split stay in it; only the others are dealt out.",
    )
    seed: int = Field(
        0, ge=0, le=2**32 - 1, title="Seed", description="Another seed draws other rows."
    )
    _fixed: dict[str, Counter[Split]] = PrivateAttr(default_factory=new_counts)
    _hashes: dict[str, array[int]] = PrivateAttr(default_factory=new_hashes)
    _kept: dict[Split, array[int]] = PrivateAttr(default_factory=hashes_by_split)
    """By split the sources of the rows that name it and stay."""
    _barred: set[int] = PrivateAttr(default_factory=set)
    """The sources of locked rows: no other row of theirs may be on either side."""
    _groups: dict[int, Split] = PrivateAttr(default_factory=dict)
    _cuts: dict[str, list[Cut]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def leaves_something_to_train_on(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("Validation and test take all rows: leave some to train on.")
        return self

    def see(self, example: StoredExample, *, is_locked: bool) -> None:
        stratum, number = self.stratum_of(example), self.hash_of(example)
        split: Split = example.get("split", "train")
        if not is_locked and not self.is_kept(example):
            self._hashes[stratum].append(number)
            return
        self._fixed[stratum][split] += 1
        if self.by == "source" and is_locked:
            self._barred.add(number)
        elif self.by == "source":
            self._kept[split].append(number)
            if self._groups.get(number) != "test":
                self._groups[number] = split

    def begin(self, flagged: Collection[int] = ()) -> None:
        if self._barred:
            self.forget_barred()
        sizes = {
            stratum: len(self._hashes[stratum]) + self._fixed[stratum].total()
            for stratum in {*self._hashes, *self._fixed}
        }
        room = {stratum: size - 1 for stratum, size in sizes.items()}
        wanted = {}
        for split, share in zip(HELD_OUT, (self.test, self.validation), strict=True):
            wanted[split] = apportioned(share, sizes, room)
            room = {stratum: rows - wanted[split][stratum] for stratum, rows in room.items()}
        missing = {
            stratum: [
                max(0, wanted[split][stratum] - self._fixed[stratum][split]) for split in HELD_OUT
            ]
            for stratum in sizes
        }
        if self.by == "source":
            self.choose_groups(missing.get("", []))
        else:
            self.choose_rows(missing)
        self._hashes.clear()
        self._kept.clear()

    def forget_barred(self) -> None:
        """What is left out counts in no share."""
        import numpy as np

        barred = np.fromiter(self._barred, np.uint64, len(self._barred))
        free = np.frombuffer(self._hashes[""], np.uint64)
        self._hashes[""] = array("Q", free[~np.isin(free, barred)].tobytes())
        for split, numbers in self._kept.items():
            left_out = np.isin(np.frombuffer(numbers, np.uint64), barred)
            self._fixed[""][split] -= int(left_out.sum())

    def choose_rows(self, missing: dict[str, list[int]]) -> None:
        import numpy as np

        for stratum, numbers in self._hashes.items():
            ordered = np.sort(np.frombuffer(numbers, np.uint64))
            self._cuts[stratum] = cuts(ordered, missing[stratum])

    def choose_groups(self, missing: list[int]) -> None:
        import numpy as np

        found, sizes = np.unique(np.frombuffer(self._hashes[""], np.uint64), return_counts=True)
        groups = dict(zip(found.tolist(), sizes.tolist(), strict=True))
        for split, rows in zip(HELD_OUT, missing, strict=False):
            bound = [group for group in groups if self._groups.get(group) == split]
            wanted = rows - sum(groups.pop(group) for group in bound)
            free = {group: size for group, size in groups.items() if group not in self._groups}
            for group in groups_of_size(free, wanted):
                self._groups[group] = split
                del groups[group]

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        if self._barred and self.hash_of(example) in self._barred:
            return None
        if self.is_kept(example):
            return example
        split = self.split_of(example)
        return example if example.get("split") == split else example | {"split": split}

    def is_kept(self, example: StoredExample) -> bool:
        return self.keep_assigned and "split" in example

    def split_of(self, example: StoredExample) -> Split:
        number = self.hash_of(example)
        if self.by == "source":
            return self._groups.get(number, "train")
        for split, cut in zip(HELD_OUT, self._cuts[self.stratum_of(example)], strict=True):
            if cut.takes(number):
                return split
        return "train"

    def stratum_of(self, example: StoredExample) -> str:
        """Its class, of several the first; tags of words are no classes of a row."""
        labels = self.kind.classes_of(example) if self.by == "label" else []
        return labels[0] if labels else ""

    def hash_of(self, example: StoredExample) -> int:
        """A number from the seed and the row, or its source: rows that come or go don't matter."""
        if self.by == "source":
            content = source_of(self.kind, example).encode()
        else:
            content = orjson.dumps({**example, "split": None}, option=orjson.OPT_SORT_KEYS)
        digest = blake2b(content, digest_size=8, key=b"%d" % self.seed).digest()
        return int.from_bytes(digest)


def source_of(kind: type[Example], example: StoredExample) -> str:
    """What a row is made from: the first question, else the first text; only its words count."""
    pieces = list(kind.pieces_of(example))
    text = next((piece for piece in pieces if piece.part == "user"), pieces[0]).text
    return BETWEEN_WORDS.sub(" ", text.casefold()).strip() or text
