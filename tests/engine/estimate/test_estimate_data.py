"""What an estimate counts of a row."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.preference import Preference
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.examples.unpaired_preference import UnpairedPreference
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.data.store.batch import Batch
from maxaillm.dev.finetune.data.store.store import RowWriter
from maxaillm.dev.finetune.estimate import estimate
from maxaillm.dev.finetune.estimate.data import texts_of
from tests import tiny

ASKED = [Message(role="user", content="Hi")]
GOOD = [Message(role="assistant", content="Hello")]
POOR = [Message(role="assistant", content="Go away")]


def test_the_texts_of_an_example_are_what_a_model_reads() -> None:
    assert texts_of(Preference(messages=ASKED, chosen=GOOD, rejected=POOR)) == [
        "user\nHi", "assistant\nHello", "user\nHi", "assistant\nGo away",
    ]  # fmt: skip
    unpaired = UnpairedPreference(messages=ASKED, completion=GOOD, desirable=True)
    assert texts_of(unpaired) == ["user\nHi", "assistant\nHello"]
    assert texts_of(Regression(text="a", pair="b", score=1)) == ["a", "b"]
    assert texts_of(TokenLabels(tokens=["a", "b"], tags=["O", "O"])) == ["a b"]
    assert texts_of(Text(text="a")) == texts_of(Classification(text="a", label="b")) == ["a"]


@pytest.mark.parametrize("stored", [False, True])
def test_held_out_rows_are_no_steps(llama: Path, tmp_path: Path, stored: bool) -> None:
    """Neither those of a split of their own nor a share that is drawn, nor rows to test."""
    splits = ["train", "validation", "test", None]
    rows = [{"text": f"row {n}", "split": splits[n % 4]} for n in range(80)]
    file = tmp_path / "rows"
    if stored:
        with RowWriter(file) as written:
            written.add(Batch(Text, range(1, 81), rows))
    else:
        told = [row | {"split": row["split"] or "train"} for row in rows]
        file = tiny.write_lines(tmp_path / "rows.jsonl", told)
    training = {"max_steps": None, "num_train_epochs": 1, "per_device_train_batch_size": 1}
    sections = {"training": training, "data": {"packing": False}}
    found = estimate(RunConfig.parse(tiny.run_config(llama, file, **sections)))
    assert (found.training_rows, found.validation_rows, found.steps) == (40, 20, 40)

    plain = tiny.write_lines(tmp_path / "plain.jsonl", [{"text": f"row {n}"} for n in range(80)])
    sections["data"] = {"packing": False, "validation_share": 0.25}
    found = estimate(RunConfig.parse(tiny.run_config(llama, plain, **sections)))
    assert (found.training_rows, found.validation_rows, found.steps) == (60, 20, 60)


def test_tokens_are_those_of_rows_from_all_over_the_file(llama: Path, tmp_path: Path) -> None:
    """Files are sorted by length, and tokenizers may say that all texts are padded."""
    tokenizer = Tokenizer.from_file(str(llama / "tokenizer.json"))
    rows = [{"text": "word " * (1 + n // 50)} for n in range(3000)]
    told = sum(len(tokenizer.encode(row["text"]).ids) + 1 for row in rows)
    tokenizer.enable_padding(length=128)
    tokenizer.enable_truncation(8)
    base = tmp_path / "base"
    shutil.copytree(llama, base)
    tokenizer.save(str(base / "tokenizer.json"))
    file = tiny.write_lines(tmp_path / "rows.jsonl", rows)
    stored = tmp_path / "rows"
    with RowWriter(stored) as written:
        for begin in range(0, 3000, 500):
            numbers = range(begin + 1, begin + 501)
            written.add(Batch(Text, numbers, rows[begin : begin + 500]))
    training = {"max_steps": None, "num_train_epochs": 1}
    data = {"validation_share": 0, "max_length": 512}
    for path in (file, stored):
        sections = {"training": training, "data": data}
        found = estimate(RunConfig.parse(tiny.run_config(base, path, **sections)))
        assert found.tokens == pytest.approx(told, rel=0.05)
