"""Whatever a row holds: a format refuses it with a reason, or makes a sound example of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.reading.recognition import format_of
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.formats.family_rows import FAMILIES

KEYS = st.sampled_from(
    """
    role content from value text label input output answer rank parts qas context question answers
    weight messages tool_calls functionCall en de answer_start
    """.split()  # noqa: SIM905
)
WORDS = st.sampled_from(
    ["user", "assistant", "system", "gpt", "model", "a", "", " ", "true", "1", "-1", "1e999",
     "[]", "[1", "{}", '{"role": "user"}', "['a']", "Human: a", "A", "\u200b"]
)  # fmt: skip
NUMBERS = st.sampled_from([0, 1, -1, 2, 0.5, 10**400, -0.0, 1e300, True, False])
LEAVES = st.none() | WORDS | NUMBERS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """`value` with something else in one place, however deep."""
    kind = draw(st.integers(0, 3))
    if kind == 0 or not value or not isinstance(value, list | dict):
        return draw(VALUES)
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        return [draw(damaged(item)) if at == place else item for at, item in enumerate(value)]
    chosen = draw(st.sampled_from(sorted(value)))
    return {key: draw(damaged(item)) if key == chosen else item for key, item in value.items()}


@pytest.mark.parametrize("name", formats)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_row_is_refused_or_read(name, data):
    row, _ = data.draw(st.sampled_from(FAMILIES[name]))
    read = format_of([row] * 4)
    broken = data.draw(damaged(row))
    for only in read.unfolder()(broken if isinstance(broken, dict) else {}):
        problem = read.check(only)
        if problem is not None:
            assert problem.code and problem.message
            continue
        fields = read.to_fields(only)
        assert read.gives.model_validate(fields, strict=True) == read.to_example(only)
        assert None not in fields.values()
        json.dumps(fields, allow_nan=False)


COLUMNS = st.sampled_from(
    sorted({key for rows in FAMILIES.values() for row, _ in rows for key in row})
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(sample=st.lists(st.dictionaries(COLUMNS, VALUES, max_size=4), min_size=1, max_size=4))
def test_any_sample_is_recognised_refused_or_asked_about(sample):
    try:
        found = format_of(sample)
    except DataError as error:
        assert error.message and error.hint
        return
    assert found.columns <= {name for row in sample for name in row}
