"""Nothing that a row holds disappears: it is in the example, or a finding names its key."""

from __future__ import annotations

import json
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from maxaillm.dev.finetune.data.formats import DataFormat, formats
from maxaillm.dev.finetune.data.readers import lines
from maxaillm.dev.finetune.data.reading.recognition import format_of
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import Checked, check, json_lines
from tests.engine.data.formats.family_rows import FAMILIES

WORDS = st.text("abcdefgh", min_size=3, max_size=9)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers(1_000, 9_999) | WORDS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(WORDS, inner, min_size=1, max_size=2)
    ),
    max_leaves=3,
)
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "tools": st.just([{"type": "function", "function": {"name": "look_up", "strict": 7351}}]),
    "system": WORDS,
    "weight": st.just(0.53),
    "name": WORDS,
    "reasoning_content": WORDS,
    "thinking": WORDS,
    "tool_calls": st.just([{"index": 4, "function": {"name": "look_up", "arguments": {"k": 8}}}]),
    "value": WORDS,
    "from": st.just("human"),
    "loss_weight": st.just(0.31),
    "label": st.just("a verdict"),
}
"""Keys that some format reads, and some do not."""


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [str(value)]


def is_told(found: Checked, key: str, value: Any) -> bool:
    """Whether every leaf is in an example, or a finding names the key; a refused row is named."""
    written = "".join(example.model_dump_json() for example in found.examples)
    lost = [leaf for leaf in leaves(value) if leaf not in written]
    named = [finding for finding in found.of_code("not_read") if key in finding.message]
    return not lost or bool(named) or found.report.bad_rows > 0 or found.report.status != "ready"


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Every object that a row holds, itself among them."""
    if isinstance(value, dict):
        return [value, *(each for item in value.values() for each in objects_in(item))]
    if isinstance(value, list):
        return [each for item in value for each in objects_in(item)]
    return []


def extra(draw: st.DrawFn) -> tuple[str, Any]:
    if draw(st.booleans()):
        key = draw(st.sampled_from(sorted(KNOWN)))
        return key, draw(KNOWN[key])
    return draw(WORDS.map("x{}".format)), draw(VALUES)


@st.composite
def rows_with_more(draw: st.DrawFn, name: str) -> tuple[dict[str, Any], DataFormat, str, Any]:
    """A row of a format with one more key, at its top or in any object within."""
    row, _ = draw(st.sampled_from(FAMILIES[name]))
    read, row = format_of([row] * 4), json.loads(json.dumps(row))
    places = objects_in(row)
    key, value = extra(draw)
    place = draw(st.sampled_from(range(len(places))))
    assume(key not in places[place])
    places[place][key] = value
    return row, read, key, value


@pytest.mark.parametrize("name", formats)
@pytest.mark.parametrize("mapped", [True, False], ids=["chosen", "recognised"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_key_more_is_read_or_named(tmp_path, name, mapped, data):
    row, read, key, value = data.draw(rows_with_more(name))
    path = tmp_path / "rows.jsonl"
    path.write_text(json_lines([row] * 3))
    found = check(path, read if mapped else None)
    assert is_told(found, key, value), (row, found)


def test_each_key_is_one_finding_with_its_share(tmp_path):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "audio": "x"}]
    rows = [{"messages": turns, "entities": [1]}, {"messages": turns}, {"messages": turns[:1]}]
    path = tmp_path / "rows.jsonl"
    path.write_text(json_lines(rows * 2))
    found = check(path)
    messages = [finding.message for finding in found.of_code("not_read")]
    assert messages == [
        "The key “audio” in “messages” is not read: 4 of 6 records (66.7 %) hold something there.",
        "The column “entities” is not read: 2 of 6 records (33.3 %) hold something there.",
    ]
    assert found.report.codes["not_read"] == 2


def test_who_reads_the_examples_is_told_too(tmp_path):
    """What `validate` finds beside the examples is said where a run reads the file itself."""
    told: list[str] = []
    rows = [{"prompt": "a\0", "completion": "b", **dict.fromkeys("cdefghijklmno", 1)}]
    path = tmp_path / "set.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("rows.json", json.dumps({"by": "me", "data": rows * 2}))
        archive.writestr("README.md", "-")
    examples = read_documents(path, lambda message, _hint: told.append(message))
    assert len(list(examples)) == 2
    names = ", ".join(f"the column “{name}”" for name in "cdefghijklmn")
    assert told == [
        "Of the archive, 'rows.json' is read; left aside: 'README.md'.",
        "Beside the rows the file has 'by'.",
        "In 2 rows: A NUL character was taken out.",
        f"Not read: {names} and 1 more.",
    ]


def test_a_wrapped_text_is_read_whole_or_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RECORD_CHARS", 1_000)
    path = tmp_path / "book.txt"
    path.write_text("A line of some words,\nand one more.\n\n" * 600 + "x" * 2_000 + "\nAn end.\n")
    with pytest.raises(DataError, match=r"Row 1201, line 1801 .*longer than"):
        list(read_documents(path))


def test_a_verdict_beside_an_answer_is_said_to_be_one(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"q{n}", "completion": "yes", "is_correct": n % 2 == 0} for n in range(6)]
    path.write_text(json_lines(rows))
    (finding,) = check(path).of_code("not_read")
    assert "is_correct" in finding.message
    assert "Unpaired preferences" in finding.fix


def test_names_that_never_end_are_counted_together(tmp_path):
    rows = [{"text": "a b", f"id-{n}": n + 1} for n in range(300)]
    path = tmp_path / "rows.jsonl"
    path.write_text(json_lines(rows))
    found = check(path, formats["text"]())
    assert len(found.of_code("not_read")) == 201
    assert found.of_code("not_read")[-1].message.startswith("100 more values")
