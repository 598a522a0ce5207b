"""Every data check: it finds its fault, is silent without, and survives whatever rows hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.checks import checks
from maxaillm.dev.finetune.data.examples import example_kinds
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.fixes import fixes
from maxaillm.dev.finetune.data.store.batch import Batch
from tests.engine.data.checks.faulty_rows import CLEAN, FAULTS, answered, issues
from tests.engine.data.files import REAL, needs_real_data
from tests.engine.data.store.stored_rows import KIND_NAMES, rows_of

SNIPPET_CODES = re.compile(r"[a-z]+(_[a-z]+)*")


def rows_with(fault):
    return [*CLEAN[fault.kind][: fault.clean], *fault.rows]


def ids(faults):
    return [f"{fault.check}-{place}" for place, fault in enumerate(faults)]


@pytest.mark.parametrize("name", checks)
def test_a_check_speaks_to_people(name):
    cls = checks[name]
    assert cls.label and cls.label[0].isupper()
    for sentence in (cls.why, cls.advice):
        assert sentence[0].isupper() or sentence[0] == "“"
        assert sentence.endswith(".") and len(sentence) < 120
    assert cls.fix is None or cls.fix in fixes
    for field, info in cls.model_fields.items():
        assert field == "name" or info.title


@pytest.mark.parametrize("name", checks)
def test_every_check_has_a_planted_fault(name):
    assert any(fault.check == name for fault in FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=ids(FAULTS))
def test_the_planted_fault_is_found_and_nothing_else(fault):
    rows = rows_with(fault)
    found = list(issues(fault.check, fault.kind, rows))
    before = len(rows) - len(fault.rows)
    named = [None if place is None else before + place + 1 for place in fault.named]
    assert [issue.row for issue in found] == named
    assert {issue.code or fault.check for issue in found} == {fault.code or fault.check}
    assert all(0 < len(issue.message) < 200 for issue in found)


@pytest.mark.parametrize("kind", CLEAN, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", checks)
def test_clean_rows_are_left_alone(name, kind):
    assert list(issues(name, kind, CLEAN[kind])) == []


@pytest.mark.parametrize("fault", FAULTS, ids=ids(FAULTS))
def test_what_is_found_does_not_depend_on_the_batches(fault):
    rows = rows_with(fault)
    whole = list(issues(fault.check, fault.kind, rows))
    sizes = (1, 7) if len(rows) < 1_000 else (777,)
    for size in sizes:
        assert list(issues(fault.check, fault.kind, rows, size)) == whole


@pytest.mark.parametrize("name", checks)
def test_no_rows_at_all(name):
    assert list(issues(name, Conversation, [])) == []
    check = checks[name].model_validate({})
    assert list(check.see(Batch(Conversation, [], []))) == list(check.conclude()) == []


@pytest.mark.parametrize("kind_name", KIND_NAMES)
@settings(max_examples=8, deadline=None)
@given(st.data())
def test_whatever_rows_hold(kind_name, data):
    """Also rows that come twice; in batches of two it is the same."""
    kind = example_kinds[kind_name]
    drawn = data.draw(rows_of(kind))
    rows = [*drawn, *drawn[:2]]
    for name in checks:
        found = list(issues(name, kind, rows))
        assert found == list(issues(name, kind, rows, 2))
        for issue in found:
            assert issue.row is None or 1 <= issue.row <= len(rows)
            assert SNIPPET_CODES.fullmatch(issue.code or name)
            issue.message.encode()
            issue.snippet.encode()


EMPTY = {
    **dict.fromkeys(("text", "label", "pair"), ""),
    **dict.fromkeys(("labels", "tokens", "tags", "messages", "chosen", "rejected"), ()),
    "completion": (), "score": 0.0, "desirable": True,
}  # fmt: skip


@pytest.mark.parametrize("kind_name", KIND_NAMES)
@pytest.mark.parametrize("name", checks)
def test_rows_of_nothing(name, kind_name):
    fields = example_kinds[kind_name].model_fields.keys()
    row = {field: value for field, value in EMPTY.items() if field in fields}
    assert all(found.message for found in issues(name, example_kinds[kind_name], [row] * 3))


@needs_real_data
@pytest.mark.parametrize("name", checks)
def test_naughty_strings(name):
    lines = (REAL / "nasty" / "blns.txt").read_text(encoding="utf-8").splitlines()
    rows = [answered(line) for line in lines]
    assert all(found.message.encode() for found in issues(name, Conversation, rows))


@pytest.mark.parametrize("name", checks)
def test_a_text_that_never_ends_takes_no_time_to_speak_of(name):
    """Patterns that try every place anew would take minutes for these."""
    texts = ["a" * 300_000, "+1 (1" * 60_000, "a.b@" * 60_000, "<b " * 60_000, "{{ " * 60_000]
    rows = [answered(text) for text in [*texts, "I'm sorry, " * 30_000, "sk-" + "A1" * 90_000]]
    assert all(found.message for found in issues(name, Conversation, rows))
