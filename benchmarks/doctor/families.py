"""Families of runs: real data or made-up rows, a small model, and what a row of garbage is."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.defaults_sweep import columns, paragraphs, whole
from tests.real_data import TEST_DATA
from tests.tiny import WORDS, make_llama

Row = dict[str, Any]
LAYERS = 2
"""Of each model, so that a run takes seconds: of pretrained ones these are the first."""


class Family(NamedTuple):
    """`rows` gives them all in order, `model` a folder, made below the one given if need be."""

    name: str
    rows: Callable[[], list[Row]]
    model: Callable[[Path], Path]
    width: int
    answer: str
    """The field that is learned."""
    steps: int = 80
    batch: int = 4


def shortened(name: str, opener: str, **layers: int) -> Callable[[Path], Path]:
    """A pretrained model cut to its first layers."""

    def make(folder: Path) -> Path:
        import transformers

        source, made = TEST_DATA / "models" / name, folder / name
        if not made.exists():
            getattr(transformers, opener).from_pretrained(source, **layers).save_pretrained(made)
            transformers.AutoTokenizer.from_pretrained(source).save_pretrained(made)
        return made

    return make


def random_llama(folder: Path) -> Path:
    made = folder / "llama"
    return made if made.exists() else make_llama(made, hidden_size=64, intermediate_size=128)


def file(path: str, read: Callable[[Path], list[Row]]) -> list[Row]:
    return read(TEST_DATA / "data" / path)


def tales() -> list[Row]:
    return [{"text": row["text"][:100]} for row in file("text/grimms_fairy_tales.txt", paragraphs)]


def orders() -> list[Row]:
    found = file("instruction/alpaca_en_demo.json", whole)
    pairs = [(row["instruction"], row["output"]) for row in found if not row["input"]]
    return [
        {"prompt": prompt[:60], "completion": answer[:40]}
        for prompt, answer in pairs
        if len(prompt) < 80
    ]


def names() -> list[Row]:
    return file("seq2seq/ar2en_train.txt", columns("prompt", "completion"))[::4]


def messages() -> list[Row]:
    found = file("classification/sms_spam.tsv", columns("label", "text"))
    seen = {row["text"]: row for row in found}
    return [{"text": text[:80], "label": row["label"]} for text, row in seen.items()]


def reviews() -> list[Row]:
    found = file("classification/amazon_cells_labelled.txt", columns("text", "label"))
    return [{"text": row["text"][:80], "label": "good" if row["label"] == "1" else "bad"}
            for row in found]  # fmt: skip


def queries() -> list[Row]:
    import csv

    with (TEST_DATA / "data/classification/banking77_train.csv").open(encoding="utf-8") as opened:
        found = list(csv.DictReader(opened))
    kept = sorted({row["category"] for row in found})[:4]
    return [{"text": row["text"][:80], "label": row["category"]}
            for row in found if row["category"] in kept]  # fmt: skip


def colours() -> list[Row]:
    """Made up: what to say depends on the word that is asked for."""
    chance = random.Random(1)
    rows = []
    for _ in range(1200):
        first, second = chance.choices(WORDS, k=2)
        said = f"{WORDS[(WORDS.index(first) * 5 + 1) % 12]} {second}"
        rows.append({"prompt": f"{first} {second}?", "completion": said})
    return rows


def garbage(row: Row, answer: str, chance: random.Random) -> Row:
    """The row with an answer of random letters; where labels are learned, another label's."""
    if answer == "label":
        return row
    size = min(max(20, len(row[answer])), 60)
    return row | {answer: "".join(chance.choices(string.punctuation + string.digits, k=size))}


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


STORIES = shortened("stories260k", "AutoModelForCausalLM", num_hidden_layers=LAYERS)
NAMES = shortened(
    "aren-translit-blenderbot",
    "AutoModelForSeq2SeqLM",
    encoder_layers=LAYERS,
    decoder_layers=LAYERS,
)
ENCODER = shortened("minilm-l6-h384", "AutoModel", num_hidden_layers=LAYERS)
FAMILIES = (
    Family("tales", tales, STORIES, 64, "text"),
    Family("names", names, NAMES, 32, "completion"),
    Family("messages", messages, ENCODER, 48, "label", steps=120, batch=8),
    Family("orders", orders, STORIES, 128, "completion"),
    Family("queries", queries, ENCODER, 48, "label", batch=8),
    Family("colours", colours, random_llama, 64, "completion", steps=120),
    Family("reviews", reviews, ENCODER, 48, "label", batch=8),
)
EXAM_ROWS = 200
"""Five times what a run of the corpus holds out by default."""
