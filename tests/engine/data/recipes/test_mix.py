"""Stores are joined: every row once, so often or so many; splits kept; different kinds refused."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.text import Text
from maxaillm.dev.finetune.data.recipes.mix import Source, mix, times_of_shares
from maxaillm.dev.finetune.data.store.store import RowStore, RowWriter
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.store.stored_rows import labelled, store_of


def source(path, label, rows, times=1.0, *, held_out=0):
    """So many rows with this label; the first ones are of the test split."""
    free = labelled(*[label] * rows)
    return Source(
        label,
        store_of(
            path / label,
            Classification,
            [row | {"split": "test"} for row in free[:held_out]] + free[held_out:],
        ),
        times,
    )


def joined(sources, **options):
    batches = []
    taken = mix(sources, batches.append, **options)
    rows = [row for batch in batches for row in batch.examples]
    numbers = [number for batch in batches for number in batch.numbers]
    assert numbers == [*range(1, len(rows) + 1)]
    assert sum(taken) == len(rows)
    assert [sum(row["label"] == each.name for row in rows) for each in sources] == taken
    return rows


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    times=st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
    shuffle=st.booleans(),
    seed=st.integers(0, 5),
)
def test_each_source_gives_as_many_rows_as_it_should(tmp_path, sizes, times, shuffle, seed):
    sources = [
        source(tmp_path, label, size + 1, often, held_out=1)
        for label, size, often in zip("ab", sizes, times, strict=True)
    ]
    rows = joined(sources, locked={"test"}, shuffle=shuffle, seed=seed)
    for each, size, often in zip(sources, sizes, times, strict=True):
        own = [row for row in rows if row["label"] == each.name]
        assert sum(row.get("split") == "test" for row in own) == 1
        assert len(own) - 1 == int(often) * size + round((often - int(often)) * size)
        copies = Counter(row["text"] for row in own if "split" not in row)
        assert set(copies.values()) <= {int(often), int(often) + 1}
    assert rows == joined(sources, locked={"test"}, shuffle=shuffle, seed=seed)


def test_without_shuffling_rows_stay_in_their_order(tmp_path):
    sources = [source(tmp_path, "a", 8), source(tmp_path, "b", 5)]
    assert joined(sources) == labelled(*"aaaaaaaa") + labelled(*"bbbbb")


def test_shuffling_over_several_piles_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("maxaillm.dev.finetune.data.recipes.mix.BUCKET_BYTES", 1_000)
    sources = [source(tmp_path, "a", 300), source(tmp_path, "b", 200)]
    folder = tmp_path / "scratch"
    folder.mkdir()
    plain, mixed = joined(sources), joined(sources, shuffle=True, folder=folder)
    assert plain != mixed
    assert sorted(map(str, plain)) == sorted(map(str, mixed))
    assert 80 <= sum(row["label"] == "a" for row in mixed[:200]) <= 160
    assert joined(sources, shuffle=True) == mixed != joined(sources, shuffle=True, seed=1)
    assert list(folder.iterdir()) == []


@given(
    shares=st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    sizes=st.lists(st.integers(1, 10_000), min_size=3, max_size=3),
)
def test_shares_repeat_no_row_and_waste_none(shares, sizes):
    times = times_of_shares(shares, sizes)
    assert max(times) == pytest.approx(1)
    rows = [often * size for often, size in zip(times, sizes, strict=True)]
    for count, share in zip(rows, shares, strict=True):
        assert count / sum(rows) == pytest.approx(share / sum(shares))


def test_different_kinds_are_refused_by_name(tmp_path):
    other = Source("tales", store_of(tmp_path / "other", Text, [{"text": "Once"}]))
    with pytest.raises(DataError, match="“a” holds texts with a class, “tales” holds documents"):
        joined([source(tmp_path, "a", 3), other])


@pytest.mark.parametrize(("times", "message"), [(-1, "can't be taken"), (0, "No row")])
def test_senseless_weights_are_refused(tmp_path, times, message):
    with pytest.raises(DataError, match=message):
        joined([source(tmp_path, "a", 3, times)])


def test_what_was_joined_is_a_store(tmp_path):
    with RowWriter(tmp_path / "joined") as writer:
        mix([source(tmp_path, "a", 7), source(tmp_path, "b", 4)], writer.add)
    assert [row.number for row in RowStore(tmp_path / "joined").page(0, 20)] == [*range(1, 12)]
