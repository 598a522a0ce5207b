"""Splits are dealt out: exact sizes, by class, by source, and the same for the same rows."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.fixes.assign_splits import source_of
from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.recipes.apply import in_words
from maxaillm.dev.finetune.data.recipes.recipe import apply, recipe_of
from tests.engine.data.files import NASTY, REAL, needs_real_data
from tests.engine.data.store.stored_rows import labelled, real_store, store_of

SHARES = st.tuples(st.floats(0, 0.6), st.floats(0, 0.39))
LABELS = st.lists(st.sampled_from("aaaabbc"), min_size=1, max_size=60)


def dealt(store, *, locked=(), **options):
    """The rows as `assign_splits` leaves them."""
    batches = []
    apply(recipe_of([{"name": "assign_splits", **options}]), store, batches.append, locked=locked)
    return [example for batch in batches for example in batch.examples]


def sizes(rows):
    return Counter(row["split"] for row in rows)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    labels=LABELS, shares=SHARES, seed=st.integers(0, 9), by=st.sampled_from(["random", "label"])
)
def test_sizes_are_exact(tmp_path, labels, shares, seed, by):
    test, validation = shares
    store = store_of(tmp_path / "rows", Classification, labelled(*labels))
    rows = dealt(store, test=test, validation=validation, seed=seed, by=by)
    assert [row["text"] for row in rows] == [f"text {place}" for place in range(len(labels))]
    classes = Counter(labels) if by == "label" else {"": len(labels)}
    for split, share in (("test", test), ("validation", validation)):
        for label, count in classes.items():
            own = sum(row["split"] == split for row in rows if label in ("", row["label"]))
            assert abs(own - share * count) <= 1
    trained = [row["label"] for row in rows if row["split"] == "train"]
    assert len(set(trained)) >= len(set(labels) if by == "label" else [1])


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(labels=LABELS, more=LABELS, by=st.sampled_from(["random", "label", "source"]))
def test_new_rows_do_not_move_others(tmp_path, labels, more, by):
    rows = dealt(store_of(tmp_path / "rows", Classification, labelled(*labels)), by=by)
    added = [row | {"text": f"new {row['text']}"} for row in labelled(*more)]
    store = store_of(tmp_path / "more", Classification, added + rows)
    again = dealt(store, by=by, locked={"test"})
    assert again[len(added) :] == rows


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(sources=st.lists(st.integers(0, 9), min_size=1, max_size=60), shares=SHARES, data=st.data())
def test_a_source_is_never_on_both_sides(tmp_path, sources, shares, data):
    rows = [row | {"text": f"Source, {row['label']}!"} for row in labelled(*map(str, sources))]
    held = data.draw(st.sampled_from([None, "0", "3"]))
    rows = [row | {"split": "test"} if row["label"] == held else row for row in rows]
    free = [row | {"text": f"source {row['label']}"} for row in labelled(*map(str, sources))]
    store = store_of(tmp_path / "rows", Classification, rows + free)
    test, validation = shares
    out = dealt(
        store, test=test, validation=validation, by="source", locked={"test"} if held else set()
    )
    places = defaultdict(set)
    for row in out:
        places[source_of(Classification, row)].add(row.get("split", "train"))
    assert all(len(splits) == 1 for splits in places.values())
    in_test = [row for row in out if row.get("split") == "test"]
    if held:  # locked: none enters, none leaves, and what shares their source is on neither side
        assert in_test == [row for row in rows if row.get("split") == "test"]
        shared = [row for row in free if row["label"] == held]
        assert len(out) == len(rows) + len(free) - len(shared)
    else:
        largest = max(Counter(source_of(Classification, row) for row in out).values())
        assert abs(len(in_test) - test * len(out)) <= largest


def test_rows_beside_locked_ones_count_in_no_share(tmp_path):
    """Also where they name a split: the lock is stronger than what was assigned."""
    locked = [row | {"text": "Held!", "split": "test"} for row in labelled("a")]
    beside = [
        row | {"text": "held"} | split
        for row in labelled("a")
        for split in ({}, {"split": "train"}, {"split": "validation"})
    ]
    others = [row | {"text": f"other {place}"} for place, row in enumerate(labelled(*"a" * 19))]
    store = store_of(tmp_path / "rows", Classification, [*beside, *locked, *others])
    batches = []
    recipe = recipe_of([{"name": "assign_splits", "by": "source", "test": 0, "validation": 0.5}])
    outcome = apply(recipe, store, batches.append, locked={"test"})
    assert outcome.splits == {"test": 1, "validation": 10, "train": 9}
    told = "3 left out: their source is in a locked split"
    assert in_words(outcome).endswith(told)


def test_the_seed_decides(tmp_path):
    store = store_of(tmp_path / "rows", Classification, labelled(*"ab" * 50))
    assert dealt(store, seed=1) == dealt(store, seed=1) != dealt(store, seed=2)
    assert sizes(dealt(store)) == {"train": 80, "validation": 10, "test": 10}


@needs_real_data
def test_references_of_one_source_stay_together(tmp_path):
    mapping = formats["prompt_completion"](prompt="mr", completion="ref")
    store = real_store(REAL / "seq2seq" / "e2e_nlg_dev.csv", tmp_path, mapping)
    rows = dealt(store, by="source", test=0.15, validation=0.1)
    places = defaultdict(set)
    for row in rows:
        places[row["messages"][0]["content"]].add(row["split"])
    assert len(places) == 547
    assert all(len(splits) == 1 for splits in places.values())
    assert sizes(rows) == {"train": 3503, "validation": 468, "test": 701}


@needs_real_data
def test_a_class_with_one_row_stays_in_train(tmp_path):
    rows = dealt(real_store(NASTY / "rare_class.csv", tmp_path), by="label")
    counts = Counter(row["label"] for row in rows)
    rare = [label for label, count in counts.items() if count == 1]
    assert rare
    assert {row["split"] for row in rows if row["label"] in rare} == {"train"}
    assert sizes(rows)["test"] == round(0.1 * len(rows))


@needs_real_data
@pytest.mark.parametrize(("name", "rows"), [("banking77_train.csv", 10_003)])
def test_every_class_has_its_share(tmp_path, name, rows):
    out = dealt(real_store(REAL / "classification" / name, tmp_path), by="label")
    assert sizes(out) == {"train": rows - 2 * 1000, "validation": 1000, "test": 1000}
    for label, count in Counter(row["label"] for row in out).items():
        own = Counter(row["split"] for row in out if row["label"] == label)
        assert abs(own["test"] - count / 10) < 1
        assert abs(own["validation"] - count / 10) < 1
