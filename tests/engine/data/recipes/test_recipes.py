"""Recipes: fixes in their order, what each did, what a preview shows, what stays untouched."""

from __future__ import annotations

from collections import Counter

import pytest

from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.recipes.recipe import apply, preview, recipe_of
from maxaillm.dev.finetune.data.store.chunks import batched
from maxaillm.dev.finetune.data.store.store import RowStore, RowWriter
from maxaillm.dev.finetune.errors import ConfigError, DataError, UnknownComponentError
from tests.engine.data.files import NASTY, REAL, check, needs_real_data
from tests.engine.data.store.stored_rows import labelled, real_store, store_of


def done(store, *steps, **options):
    """The outcome of the recipe, and the rows that are left."""
    batches = []
    outcome = apply(recipe_of(steps), store, batches.append, **options)
    return outcome, [row for batch in batches for row in batch.examples]


def counts(outcome):
    return [(count.name, count.changed, count.dropped) for count in outcome.fixes]


def test_each_fix_works_on_what_the_one_before_left(tmp_path):
    store = store_of(
        tmp_path / "rows", Classification, labelled(*["spam"] * 6, *["Spam"] * 4, *"hhh")
    )
    outcome, rows = done(
        store,
        {"name": "drop_rows"},
        {"name": "normalise_labels"},
        {"name": "balance"},
        {"name": "rename_labels", "names": {"h": "ham"}},
        flagged=[1, 3, 25],
    )
    assert [row["label"] for row in rows] == ["spam"] * 2 + ["ham"] * 2
    assert counts(outcome)[0] == ("drop_rows", 0, 3)
    assert counts(outcome)[1] == ("normalise_labels", 4, 0)
    assert counts(outcome)[2:] == [("balance", 0, 6), ("rename_labels", 2, 0)]
    assert (outcome.rows, outcome.kept, outcome.dropped) == (13, 4, 9)


def test_locked_rows_stay_and_do_not_count(tmp_path):
    rows = labelled(*"aaaaab") + labelled(*"bbbbbb", split="test")
    store = store_of(tmp_path / "rows", Classification, rows)
    outcome, kept = done(store, {"name": "balance", "only_train": False}, locked=["test"])
    assert Counter(row["label"] for row in kept) == {"a": 1, "b": 7}
    _, kept = done(store, {"name": "sample", "rows": 2}, locked=["test"])
    assert len(kept) == 2 + 6
    rename = {"name": "rename_labels", "names": {"b": "c"}}
    outcome, kept = done(store, rename, locked=["test"])
    assert outcome.changed == 1
    assert kept[6:] == rows[6:]


def test_the_spelling_of_locked_rows_decides(tmp_path):
    rows = labelled("Spam", "Spam", " ham", "ham ") + labelled("spam", split="test")
    store = store_of(tmp_path / "rows", Classification, rows)
    _, kept = done(store, {"name": "normalise_labels"}, locked=["test"])
    assert [row["label"] for row in kept] == ["spam", "spam", "ham", "ham", "spam"]


def test_only_flagged_rows_are_touched(tmp_path):
    store = store_of(tmp_path / "rows", Text, [{"text": " a "}, {"text": " b "}, {"text": " c "}])
    outcome, rows = done(store, {"name": "trim"}, flagged=[3], only_flagged=True)
    assert [row["text"] for row in rows] == [" a ", "b", " c "]
    assert outcome.changed == 1


@pytest.mark.parametrize(
    ("options", "left"), [({"rows": 7}, 7), ({"share": 0.25}, 5), ({"rows": 99}, 20)]
)
def test_a_sample_has_just_so_many_rows(tmp_path, options, left):
    store = store_of(tmp_path / "rows", Classification, labelled(*"ab" * 10))
    _, rows = done(store, {"name": "sample", **options})
    assert len(rows) == left
    assert rows == [row for row in labelled(*"ab" * 10) if row in rows]
    assert rows == done(store, {"name": "sample", **options})[1]
    seeds = {str(done(store, {"name": "sample", **options, "seed": seed})[1]) for seed in range(4)}
    assert len(seeds) > 1 or left == 20


def test_several_labels_of_a_row_may_become_one(tmp_path):
    rows = [{"text": "x", "labels": ["Spam", "spam", "ham"]}, {"text": "y", "labels": ["spam"]}]
    store = store_of(tmp_path / "rows", MultiLabelClassification, rows)
    _, kept = done(store, {"name": "normalise_labels"})
    assert [row["labels"] for row in kept] == [["spam", "ham"], ["spam"]]


def test_rows_are_left_out_where_nothing_is_left_to_learn(tmp_path):
    store = store_of(tmp_path / "rows", Text, [{"text": "<p>"}, {"text": "<p>a"}])
    outcome, rows = done(store, {"name": "strip_markup"})
    assert rows == [{"text": "a"}]
    assert (outcome.fixes[0].changed, outcome.fixes[0].dropped, outcome.fixes[0].unusable) == (
        1,
        1,
        1,
    )
    with pytest.raises(DataError, match="None of the 2 rows"):
        done(store, {"name": "filter_rows", "query": {"words": "<p>"}})


def test_a_preview_shows_what_applying_does(tmp_path):
    store = store_of(tmp_path / "rows", Classification, labelled(*"aab" * 5))
    recipe = recipe_of(
        [
            {"name": "rename_labels", "names": {"b": "c"}},
            {"name": "filter_rows", "query": {"words": '"text 0"'}},
        ]
    )
    seen = preview(recipe, store, limit=2)
    assert [(change.number, change.after) for change in seen.changes] == [
        (1, None),
        (5, {"text": "text 2", "label": "c"}),
    ]
    assert seen.is_complete
    assert seen.outcome == apply(recipe, store, lambda _: 0)
    part = preview(recipe, store, limit=9, max_rows=4)
    assert (part.is_complete, part.outcome.rows, len(part.changes)) == (False, 4, 2)


def test_what_comes_out_is_a_store_numbered_from_one(tmp_path):
    store = store_of(tmp_path / "rows", Classification, labelled(*"abc" * 4))
    with RowWriter(tmp_path / "new") as writer:
        apply(recipe_of([{"name": "sample", "rows": 5}]), store, writer.add)
    assert [row.number for row in RowStore(tmp_path / "new").page(0, 99)] == [1, 2, 3, 4, 5]


def test_batches_are_neither_too_long_nor_too_heavy(monkeypatch):
    monkeypatch.setattr("maxaillm.dev.finetune.data.store.chunks.BATCH_ROWS", 3)
    monkeypatch.setattr("maxaillm.dev.finetune.data.store.chunks.BATCH_CHARS", 10)
    rows = [{"text": text} for text in ("a", "b", "c", "d", "e" * 30, "f" * 6, "g" * 6, "h")]
    numbers = [list(batch.numbers) for batch in batched(Text, rows)]
    assert numbers == [[1, 2, 3], [4, 5], [6, 7], [8]]


def test_many_small_turns_are_heavy(monkeypatch):
    """They were passed on in batches, and read by pages, of a gigabyte."""
    monkeypatch.setattr("maxaillm.dev.finetune.data.store.chunks.BATCH_CHARS", 1_000)
    rows = [{"messages": [{"role": "user", "content": "a"}] * 20}] * 5
    assert [len(batch) for batch in batched(Conversation, rows)] == [2, 2, 1]


def test_mistakes_have_a_path():
    with pytest.raises(ConfigError) as caught:
        recipe_of([{"name": "trim"}, {"name": "balance", "factor": 0.5}, {"name": "trim", "x": 1}])
    assert [problem.path for problem in caught.value.problems] == ["1.factor", "2.x"]
    with pytest.raises(UnknownComponentError, match="Did you mean 'balance'"):
        recipe_of([{"name": "balnce"}])
    with pytest.raises(ConfigError):
        recipe_of([{"name": "sample"}])


@pytest.mark.parametrize(
    ("example", "message"),
    [({"text": "x"}, "label"), ({"text": " ", "label": "a"}, "blank"), ({"label": "a"}, "text")],
)
def test_a_row_is_not_written_anew_as_something_else(tmp_path, example, message):
    store = store_of(tmp_path / "rows", Classification, labelled("a"))
    with pytest.raises(DataError, match=message):
        done(store, {"name": "edit_row", "number": 1, "example": example})


@needs_real_data
def test_labels_of_a_real_file_become_one_spelling(tmp_path):
    store = real_store(NASTY / "label_variants.csv", tmp_path)
    before = Counter(row.example["label"] for row in store.page(0, 1_000))
    outcome, rows = done(store, {"name": "normalise_labels"})
    after = Counter(row["label"] for row in rows)
    folded = Counter()
    for label, count in before.items():
        folded[label.strip().casefold()] += count
    assert sorted(after.values()) == sorted(folded.values())
    assert outcome.changed == sum(count for label, count in before.items() if label not in after)
    assert outcome.changed > 0


@needs_real_data
def test_ham_is_cut_to_twice_the_spam(tmp_path):
    mapping = formats["classification"](text="column_2", target="column_1")
    store = real_store(REAL / "classification" / "sms_spam.tsv", tmp_path, mapping)
    outcome, rows = done(store, {"name": "balance", "factor": 2})
    assert Counter(row["label"] for row in rows) == {"spam": 747, "ham": 1494}
    assert (outcome.rows, outcome.dropped) == (5574, 5574 - 747 - 1494)


@needs_real_data
def test_duplicates_are_dropped_to_the_last_one(tmp_path):
    path = REAL / "instruction" / "mlx_prompt_completion_train.jsonl"
    flagged = [finding.row for finding in check(path).of_code("duplicate")]
    with RowWriter(tmp_path / "new") as writer:
        store = numbered_store(path, tmp_path)
        outcome = apply(recipe_of([{"name": "drop_rows"}]), store, writer.add, flagged=flagged)
    assert (outcome.rows, outcome.kept, outcome.dropped) == (1800, 1363, 437)
    rows = [str(row.example) for row in RowStore(tmp_path / "new").page(0, 2_000)]
    assert len(rows) == len(set(rows)) == 1363


def numbered_store(path, folder):
    """The rows under the numbers that findings name them by: all are good."""
    with RowWriter(folder / "numbered") as writer:
        for batch in real_store(path, folder).batches():
            writer.add(next(batched(batch.kind, batch.examples)))
    return RowStore(folder / "numbered")
