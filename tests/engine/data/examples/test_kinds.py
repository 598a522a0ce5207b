"""Kinds of examples: what each has to declare, and rows stored under a name it had before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maxaillm.dev.finetune.data.columns.targets import ScoreColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example, example_kinds
from maxaillm.dev.finetune.data.reading.examples import read_examples
from maxaillm.dev.finetune.data.store.store import RowStore, holds_rows
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.tasks import TASKS, choose_task, kinds_for

TEXT, TEXTS = pa.string(), pa.list_(pa.string())
TURNS = pa.list_(pa.struct([("role", TEXT), ("content", TEXT), ("weight", pa.float64())]))
ASKED, ANSWER = [{"role": "user", "content": "Hi"}], [{"role": "assistant", "content": "Yo"}]
STORED: dict[str, tuple[str, list[tuple[str, Any, Any]]]] = {
    "Conversation": ("Conversation", [("messages", TURNS, ASKED + ANSWER)]),
    "Text": ("Text", [("text", TEXT, "Once")]),
    "Labelled": (
        "Classification",
        [("text", TEXT, "a"), ("label", TEXT, "x"), ("pair", TEXT, "b")],
    ),
    "MultiLabelled": (
        "MultiLabelClassification",
        [("text", TEXT, "a"), ("labels", TEXTS, ["x", "y"]), ("pair", TEXT, "b")],
    ),
    "Scored": (
        "Regression",
        [("text", TEXT, "a"), ("score", pa.float64(), 0.5), ("pair", TEXT, "b")],
    ),
    "Tagged": ("TokenLabels", [("tokens", TEXTS, ["a", "b"]), ("tags", TEXTS, ["O", "B-X"])]),
    "Preference": (
        "Preference",
        [("messages", TURNS, ASKED), ("chosen", TURNS, ANSWER), ("rejected", TURNS, ANSWER)],
    ),
    "Judged": (
        "UnpairedPreference",
        [
            ("messages", TURNS, ASKED),
            ("completion", TURNS, ANSWER),
            ("desirable", pa.bool_(), False),
        ],
    ),
}
"""What earlier releases stored: the name in the file, of each column the type and a value."""


def file_of(folder: Path, name: str, columns: list[tuple[str, Any, Any]]) -> Path:
    every = [("number", pa.int64(), 7), ("split", TEXT, "test"), *columns]
    schema = pa.schema([column[:2] for column in every], metadata={"maxaillm.example": name})
    path = folder / "rows"
    pq.write_table(pa.table([[value] for _, _, value in every], schema=schema), path)
    return path


@pytest.mark.parametrize("name", STORED)
def test_rows_of_an_earlier_release_are_read(tmp_path: Path, name: str) -> None:
    kind_name, columns = STORED[name]
    path = file_of(tmp_path, name, columns)

    store = RowStore(path)

    assert holds_rows(path) and store.kind is example_kinds[kind_name]
    fields = {column: value for column, _, value in columns}
    assert [*store.page(0, 9)] == [(7, {"split": "test", **fields})]
    assert [*read_examples(path)] == [store.kind.model_validate({"split": "test", **fields})]


def test_rows_of_a_kind_that_is_not_known_are_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, "Ranked", [("text", TEXT, "a")])
    assert not holds_rows(path)
    with pytest.raises(DataError, match="no rows of ours"):
        RowStore(path)


def test_no_two_kinds_ever_had_one_name() -> None:
    names = [
        name for kind in example_kinds.values() for name in (kind.__name__, *kind.former_names)
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", example_kinds.values(), ids=lambda kind: kind.__name__)
def test_a_kind_has_words_texts_and_tasks(kind: type[Example]) -> None:
    assert kind.plural and kind.text_columns()
    assert kind.tasks.keys() <= TASKS.keys()
    assert choose_task(kind, {}) in kind.tasks
    assert all(kind in kinds_for(task) for task in kind.tasks)


def test_a_kind_that_declares_too_little_is_refused() -> None:
    class Unsaid(Example):
        text: Annotated[str, StringColumn()]
        grade: int

    class Silent(Example):
        score: Annotated[float, ScoreColumn()]

    class Useless(Example):
        tasks = {}
        text: Annotated[str, StringColumn()]

    for kind, message in (
        (Unsaid, r"Unsaid\.grade does not say which column it is"),
        (Silent, "Silent has no column with texts"),
        (Useless, "Useless names no task"),
    ):
        with pytest.raises(TypeError, match=message):
            example_kinds.register(kind)
        assert kind.__name__ not in example_kinds
