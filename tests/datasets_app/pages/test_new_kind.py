"""A new kind of example is a class and its format: all else asks them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

import pytest
from django.test import Client
from django.urls import reverse

from datasets_app.models import DatasetVersion
from maxaillm.dev.finetune.data.columns.messages import DialogueColumn
from maxaillm.dev.finetune.data.columns.targets import LabelsColumn, ScoreColumn
from maxaillm.dev.finetune.data.columns.texts import StringColumn
from maxaillm.dev.finetune.data.examples import Example, StoredExample, example_kinds
from maxaillm.dev.finetune.data.formats import DataFormat, formats
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.data.rows.values import Row, RowProblem
from maxaillm.dev.finetune.data.store.store import RowStore
from maxaillm.dev.finetune.tasks import choose_task
from tests.conftest import FakeQueue
from tests.datasets_app.conftest import Importer

pytestmark = pytest.mark.usefixtures("checked_here")


class Review(Example):
    """A chat, what somebody noted about it, the topics it is about, and how good it is."""

    plural: ClassVar[str] = "reviewed chats"
    tasks: ClassVar[Mapping[str, tuple[str, ...]]] = {"causal_lm": ("perplexity",)}
    note: Annotated[str, StringColumn()]
    messages: Annotated[list[Message], DialogueColumn()]
    topics: Annotated[list[str], LabelsColumn()]
    grade: Annotated[float, ScoreColumn()]


class ReviewFormat(DataFormat):
    """Reviews of chats."""

    label: ClassVar[str] = "Reviews"
    summary: ClassVar[str] = "ask, say, note, topics and grade in each row."
    gives: ClassVar[type[Example]] = Review
    name: Literal["review"] = "review"

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        return cls() if all({"say", "note", "grade"} <= row.keys() for row in sample) else None

    @classmethod
    def of_stored(cls, columns: Collection[str]) -> Self:
        return cls()

    def check(self, row: Row) -> RowProblem | None:
        return None if row["note"] else RowProblem("empty", "The note is empty.")

    def to_fields(self, row: Row) -> StoredExample:
        turns = [("user", row["ask"]), ("assistant", row["say"])]
        return {
            "note": row["note"],
            "messages": [{"role": role, "content": content} for role, content in turns],
            "topics": row["topics"],
            "grade": float(row["grade"]),
        }


@pytest.fixture
def reviews(upload: Importer, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatasetVersion]:
    for registry in (example_kinds, formats):
        monkeypatch.setattr(registry, "_classes", dict(registry.items()))
    example_kinds.register(Review)
    formats.register(ReviewFormat)
    rows = [
        {
            "ask": f"Where is platform {n}?",
            "say": f"Take stairs {n}, they are on your left. Call +49 30 901820{n:02}.",
            "note": f"Polite, case {n}.",
            "topics": ["rail", "Rail "] if n == 3 else ["rail"],
            "grade": n / 4,
        }
        for n in range(20)
    ]
    yield upload("".join(json.dumps(row) + "\n" for row in [*rows, rows[5]]), "reviews.jsonl")


def page(client: Client, version: DatasetVersion, tab: str = "", **query: object) -> str:
    address = f"{version.dataset.get_absolute_url()}{tab}"
    return client.get(address, query).content.decode()


def numbers(shown: str) -> list[str]:
    """Of the rows on a page."""
    return re.findall(r">Row (\d+)</h2>", shown)


def test_it_is_stored_searched_and_shown(reviews: DatasetVersion, alice_client: Client) -> None:
    assert (reviews.status, reviews.rows) == ("ready", 21)
    assert RowStore(reviews.rows_path).kind is Review
    assert choose_task(Review, {}) == "causal_lm"

    shown = page(alice_client, reviews)
    assert "Polite, case 2." in shown and "Take stairs 2," in shown
    assert 'data-role="assistant" data-trained' in shown
    assert '<span class="tag">rail</span>' in shown and '<span class="tag">0.5</span>' in shown
    assert numbers(page(alice_client, reviews, words='"case 17"')) == ["18"]
    assert numbers(page(alice_client, reviews, words='"stairs 17"')) == ["18"]
    assert numbers(page(alice_client, reviews, label="Rail ")) == ["4"]
    assert "No row is like that" in page(alice_client, reviews, words="bicycle")


def test_it_is_counted_and_checked(reviews: DatasetVersion, alice_client: Client) -> None:
    found = reviews.facts["statistics"]
    assert found["kind"] == "Review"
    assert found["chars"].keys() == {"note", "user", "assistant"}
    assert (found["scores"]["min"], found["scores"]["max"]) == (0, 4.75)
    assert found["turns"]["bins"] == [[2, 2, 21]]
    assert reviews.facts["labels"] == {"rail": 21, "Rail ": 1}
    codes = reviews.facts["findings"]
    assert codes["duplicate"] == codes["label_variants"] == codes["rare_class"] == 1
    assert codes["personal_data"] > 15

    shown = page(alice_client, reviews, "statistics/")
    assert "Length: note" in shown and "Length: answer" in shown and "Score" in shown


@pytest.mark.parametrize(
    ("fix", "options", "before", "after"),
    [
        ("replace_text", {"find": "stairs", "replace": "steps", "only_learned": "on"},
         "Take stairs 2,", "Take steps 2,"),
        ("mask_personal_data", {}, "+49 30 90182002", "[PHONE]"),
        ("rename_labels", {"names": "rail: train"}, "<span class=\"tag\">rail", ">train</span>"),
        ("set_system", {"prompt": "Be polite."}, "Take stairs", "Be polite."),
    ],
)  # fmt: skip
def test_it_is_fixed(
    reviews: DatasetVersion,
    alice_client: Client,
    queue: FakeQueue,
    fix: str,
    options: dict[str, str],
    before: str,
    after: str,
) -> None:
    assert before in page(alice_client, reviews) and after not in page(alice_client, reviews)
    address = reverse("datasets:change", args=[reviews.dataset_id, fix])
    kinds = {"kinds": ["phone", "email"]} if fix == "mask_personal_data" else {}
    alice_client.post(address, {**options, **kinds, "do": "make"})
    queue.work()
    assert reviews.dataset.newest.status == "ready", reviews.dataset.newest.error
    assert reviews.dataset.newest.number == 2
    assert after in page(alice_client, reviews)


def test_a_row_of_it_may_be_written_anew(
    reviews: DatasetVersion, alice_client: Client, queue: FakeQueue
) -> None:
    row = next(RowStore(reviews.rows_path).page(4, 1)).example
    address = reverse("datasets:change", args=[reviews.dataset_id, "edit_row"])
    refused = alice_client.post(address, {"number": 5, "example": json.dumps({**row, "note": ""})})
    assert "The note is empty" in refused.content.decode()
    alice_client.post(
        address, {"number": 5, "example": json.dumps({**row, "note": "Rude!"}), "do": "make"}
    )
    queue.work()
    assert "Rude!" in page(alice_client, reviews, words="Rude")
