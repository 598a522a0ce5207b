"""What was written to a store is read back as it was, batch by batch and row by row."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.examples import example_kinds
from tests.engine.data.store.stored_rows import KIND_NAMES, rows_of, store_of


@pytest.mark.parametrize("kind", KIND_NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_rows_come_back_as_they_were(tmp_path, kind, data):
    rows = data.draw(rows_of(example_kinds[kind]))
    store = store_of(tmp_path / "rows", example_kinds[kind], rows)
    assert [row for batch in store.batches() for row in batch.examples] == rows
    assert [row.example for row in store.page(0, len(rows))] == rows
    numbers = [number for batch in store.batches() for number in batch.numbers]
    assert numbers == [row.number for row in store.page(0, len(rows))]
