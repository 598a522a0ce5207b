"""Names of classes that Hugging Face's datasets keeps in the metadata of a file."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from tests.engine.data.files import check, read

LABEL = {"names": ["negative", "positive"], "_type": "ClassLabel"}
TAGS = {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "List"}
TEXT = {"dtype": "string", "_type": "Value"}


def table(rows, **features):
    told = json.dumps({"info": {"features": features}}).encode()
    return pa.Table.from_pylist(rows).replace_schema_metadata({b"huggingface": told})


@pytest.mark.parametrize("write", [pq.write_table, feather.write_feather])
def test_classes_have_their_names(tmp_path, write):
    path = tmp_path / "rows"
    rows = [{"text": "good", "label": 1}, {"text": "bad", "label": 0}, {"text": "?", "label": -1}]
    write(table(rows, text=TEXT, label=LABEL), str(path))
    found = check(path)
    assert [example.label for example in found.examples] == ["positive", "negative"]
    assert found.report.bad_rows == 1  # no class


@pytest.mark.parametrize("write", [pq.write_table, feather.write_feather])
def test_a_number_beyond_the_names_is_no_class_of_its_own(tmp_path, write):
    path = tmp_path / "rows"
    rows = [{"text": "good", "label": 1}, {"text": "?", "label": 7}, {"text": "bad", "label": 0}]
    write(table(rows, text=TEXT, label=LABEL), str(path))
    found = check(path)
    assert [example.label for example in found.examples] == ["positive", "negative"]
    [bad] = [finding for finding in found.findings if finding.level == "bad"]
    assert (bad.row, bad.code) == (2, "bad_value")
    assert "class 7 has no name" in bad.message


def test_tags_of_words_have_their_names(tmp_path):
    path = tmp_path / "rows.parquet"
    rows = [{"tokens": ["Ada", "runs"], "ner_tags": [1, 0]}]
    pq.write_table(table(rows, tokens={"feature": TEXT, "_type": "List"}, ner_tags=TAGS), path)
    assert check(path).examples[0].tags == ["B-PER", "O"]


@pytest.mark.parametrize("told", [b"{", b"[]", b'{"info": {"features": [1]}}', b'{"info": 3}'])
def test_metadata_that_says_nothing_changes_nothing(tmp_path, told):
    path = tmp_path / "rows.parquet"
    plain = pa.Table.from_pylist([{"text": "a", "label": 1}])
    pq.write_table(plain.replace_schema_metadata({b"huggingface": told}), path)
    assert read(path).rows == [{"text": "a", "label": 1}]
