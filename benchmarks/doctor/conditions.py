"""Conditions under which runs of the corpus are trained: healthy, or sick on purpose."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.doctor.families import EXAM_ROWS, FAMILIES, Family, Row, garbage
from benchmarks.doctor.truth import LONGER


class Condition(NamedTuple):
    """What is done to a run. Left as they are, all are healthy."""

    name: str
    data: str = "usual"
    """Runs of the same have the same rows and steps."""
    times_rate: float = 1.0
    rows: int = 200
    validation_rows: int | None = None
    """In a file of their own; None: held out of the rows by the default share."""
    times_steps: float = 1.0
    schedule: str = "cosine"
    width: int | None = None
    is_shuffled: bool = False
    poisoned: float = 0.0
    """So many of the rows get a garbage answer."""
    rare: float | None = None
    """The share of the rows with the rarest labels; None: as they come."""
    slow: float = 0.0
    """Reading takes so many times as long as computing."""
    never_ends: bool = False
    long_prompts: bool = False
    memory_limit: int | None = None
    clip: float = 1.0


USUAL = (
    Condition("healthy"),
    Condition("rate x 30", times_rate=30),
    Condition("rate / 10", times_rate=0.1),
    Condition("rate / 100", times_rate=0.01),
    Condition("few rows", "few", rows=32),
    Condition("answers shuffled", "shuffled", is_shuffled=True),
)
FIRST_SEED = (
    Condition("rate x 5", times_rate=5),
    Condition("few rows, many held out", "few, held out", rows=40, validation_rows=100),
    Condition("few held out", "few held out", validation_rows=8),
    Condition("slow rows", "slow", slow=1.5),
)
SECOND_SEED = (
    Condition("constant", "constant", schedule="constant"),
    Condition(LONGER, LONGER, schedule="constant", times_steps=2),
    Condition("many epochs", "many epochs", rows=80, validation_rows=120, times_steps=2),
    Condition("rows a little slow", "a little slow", slow=0.05),
)
BY_HEART = (
    Condition("by heart", "by heart", rows=24, validation_rows=100, times_steps=4, times_rate=3),
    Condition("by heart, few held out", "by heart, few", rows=60, times_steps=4, times_rate=3),
)
POISONED = Condition("garbage rows", "poisoned", poisoned=0.03)
CUT = Condition("cut", "cut", width=0)
ENDLESS = Condition("no end", "no end", never_ends=True)
READING = Condition("long prompts", "long prompts", long_prompts=True)
RARE = (
    Condition("rare label", "rare", rare=0.03),
    Condition("uncommon label", "uncommon", rare=0.12),
)
CRAMPED = Condition("memory for 3", "memory", memory_limit=3)
WILD = Condition("rate x 300, no clipping", times_rate=300, clip=1000)


def conditions_of(family: Family, seed: int) -> Iterator[Condition]:
    yield from USUAL
    yield from FIRST_SEED if seed == 1 else SECOND_SEED
    if family.answer == "label":
        yield from RARE
    else:
        yield POISONED
        yield BY_HEART[seed - 1]
    if family.name in {"orders", "colours", "reviews"}:
        yield CUT._replace(width={"orders": 48, "colours": 44, "reviews": 16}[family.name])
    if family.name in {"orders", "colours"}:
        yield ENDLESS
        yield READING
    if family.name in {"tales", "reviews", "colours"}:
        yield WILD if seed == 1 else CRAMPED


class Files(NamedTuple):
    train: list[Row]
    validation: list[Row]
    exam: list[Row]
    poisoned: set[int]
    """Places in `train`."""


def rows_for(family: Family, condition: Condition, seed: int) -> Files:
    """Exam rows are the same for all runs of a family and seed, and none is trained on."""
    chance = random.Random(seed)
    pool = family.rows()
    chance.shuffle(pool)
    if condition.long_prompts:
        pool = [with_long_prompt(row, pool, chance) for row in pool]
    if condition.is_shuffled:
        answers = [row[family.answer] for row in pool]
        pool = [
            row | {family.answer: said}
            for row, said in zip(pool, mixed(answers, chance), strict=True)
        ]
    exam, rest = pool[:EXAM_ROWS], pool[EXAM_ROWS:]
    if condition.rare is not None:
        rest = with_rare_label(rest, condition.rare)
    validation = rest[: condition.validation_rows or 0]
    train = rest[len(validation) :][: condition.rows]
    poisoned = set(chance.sample(range(len(train)), round(condition.poisoned * len(train))))
    train = [
        garbage(row, family.answer, chance) if at in poisoned else row
        for at, row in enumerate(train)
    ]
    return Files(train, validation, exam, poisoned)


def mixed(answers: list[str], chance: random.Random) -> list[str]:
    """In another order; a text's words in another order each."""
    if len(answers) == len(set(answers)) and " " in answers[0]:
        return [" ".join(chance.sample(text.split(), len(text.split()))) for text in answers]
    return chance.sample(answers, len(answers))


def with_rare_label(rows: list[Row], share: float) -> list[Row]:
    """Of the alphabet's last label so few rows that they have that share, spread evenly."""
    last = max(row["label"] for row in rows)
    rare = [row for row in rows if row["label"] == last]
    others = [row for row in rows if row["label"] != last]
    every = max(1, round((1 - share) / share))
    made: list[Row] = []
    for at, row in enumerate(others):
        made.append(row)
        if at % every == every // 2 and rare:
            made.append(rare.pop())
    return made


def with_long_prompt(row: Row, pool: list[Row], chance: random.Random) -> Row:
    """Other rows' questions before its own, and of its answer the first letters."""
    before = " ".join(chance.choice(pool)["prompt"] for _ in range(6))
    return {"prompt": f"{before} {row['prompt']}", "completion": row["completion"][:3]}


class Case(NamedTuple):
    """One run of the corpus."""

    family: Family
    condition: Condition
    seed: int
    method: str

    @property
    def group(self) -> str:
        return f"{self.family.name} {self.method}"

    @property
    def name(self) -> str:
        return f"{self.group} {self.condition.name}"


def corpus() -> Iterator[Case]:
    """Each family once with LoRA and a first seed, once with all weights and a second."""
    for turn in range(2):
        for place, family in enumerate(FAMILIES):
            seed, method = ((1, "lora"), (2, "full"))[(place + turn) % 2]
            for condition in conditions_of(family, seed):
                yield Case(family, condition, seed, method)
