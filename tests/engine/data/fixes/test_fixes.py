"""Every fix by the registry: options as JSON, any kind of row, nothing done twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.components.problems import models_in
from maxaillm.dev.finetune.data.examples import example_kinds
from maxaillm.dev.finetune.data.fixes import Fix, fixes
from maxaillm.dev.finetune.data.recipes.recipe import apply, recipe_of
from maxaillm.dev.finetune.data.store.changes import problem_of_stored
from tests.engine.data.store.stored_rows import KIND_NAMES, rows_of, store_of

OPTIONS = {
    "rename_labels": {"names": {"ham": "good"}},
    "replace_text": {"find": "Spam", "replace": "Eggs"},
    "set_system": {"prompt": "Be brief."},
    "sample": {"rows": 3},
    "filter_rows": {"query": {"words": "a"}},
    "edit_row": {"number": 3, "example": {"text": "Hello"}},
}
"""The least that each fix must be told."""
ONCE = {
    "sample": "a share of a share is less",
    "balance": "draws anew",
    "strip_markup": "&amp;lt; stands for &lt;",
    "replace_text": "what is put in may hold what is found",
}
"""Why a second time may do more."""


def made(name: str) -> Fix:
    return recipe_of([{"name": name, **OPTIONS.get(name, {})}])[0]


@pytest.mark.parametrize("name", fixes)
def test_options_survive_as_json(name):
    fix = made(name)
    assert recipe_of([json.loads(json.dumps(fix.model_dump(mode="json")))]) == [fix]


@pytest.mark.parametrize("name", fixes)
def test_every_option_has_words(name):
    cls = fixes[name]
    assert cls.label and cls.summary.endswith(".") and cls.__doc__.strip().endswith(".")
    inner = [model for info in cls.model_fields.values() for model in models_in(info.annotation)]
    for schema in (cls, *inner):
        for option, info in schema.model_fields.items():
            assert option == "name" or (info.title and info.description), option


@pytest.mark.parametrize("name", [name for name in fixes if name != "edit_row"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(KIND_NAMES))
def test_any_row_of_any_kind_comes_out_or_is_counted(tmp_path, name, kind, data):
    rows = data.draw(rows_of(example_kinds[kind]))
    rows.append(rows[0] | {"split": "test"})
    store = store_of(tmp_path / "rows", example_kinds[kind], rows)
    batches = []
    outcome = apply([made(name)], store, batches.append, locked={"test"}, flagged={1, 5})
    assert outcome.kept + outcome.dropped == outcome.rows == len(rows)
    assert outcome.fixes[0].dropped == outcome.dropped
    kept = [example for batch in batches for example in batch.examples]
    assert [*range(1, outcome.kept + 1)] == [
        number for batch in batches for number in batch.numbers
    ]
    locked = [row for row in rows if row.get("split") == "test"]
    assert [row for row in kept if row in locked] == locked
    for row in kept:
        example_kinds[kind].model_validate(row)
    if name not in ONCE:
        once = store_of(tmp_path / "once", example_kinds[kind], kept)
        again = apply([made(name)], once, lambda _: 0, locked={"test"})
        assert again.changed == 0


@pytest.mark.parametrize("kind", KIND_NAMES)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_row_may_be_written_anew(kind, data):
    old, new = (
        data.draw(rows_of(example_kinds[kind]))[0],
        data.draw(rows_of(example_kinds[kind]))[0],
    )
    assume(problem_of_stored(example_kinds[kind], new) is None)
    edit = recipe_of([{"name": "edit_row", "number": 7, "example": new}])[0]
    fix = edit.for_rows_of(example_kinds[kind])
    fix.begin()
    assert fix.apply(6, old) is old
    assert fix.apply(7, old) == ({"split": old["split"]} if "split" in old else {}) | new
