"""Classes, several classes, scores and tagged words: recognised, checked, turned into examples."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.data.formats import formats, recognise
from maxaillm.dev.finetune.data.reading.recognition import NeedsMappingError, format_of
from maxaillm.dev.finetune.data.reading.unsupported import refuse_unsupported
from tests.engine.data.files import check, json_lines

RECOGNISED = [
    ({"premise": "a", "hypothesis": "b", "label": 1},
     Classification(text="a", pair="b", label="1")),
    ({"sentence1": "a", "sentence2": "b", "gold_label": "entailment"},
     Classification(text="a", pair="b", label="entailment")),
    ({"question1": "a", "question2": "b", "label": "0"},
     Classification(text="a", pair="b", label="0")),
    ({"text": "a", "label": 0.37}, Regression(text="a", score=0.37)),
    ({"text": "a", "target": "-1.5"}, Regression(text="a", score=-1.5)),
    ({"text": "a", "score": "4.25"}, Regression(text="a", score=4.25)),
    ({"sentence1": "a", "sentence2": "b", "score": 3.8}, Regression(text="a", pair="b", score=3.8)),
    ({"text": "a", "labels": ["x", "y"]}, MultiLabelClassification(text="a", labels=["x", "y"])),
    ({"text": "a", "labels": [27], "id": "e"}, MultiLabelClassification(text="a", labels=["27"])),
    ({"text": "a", "labels": []}, MultiLabelClassification(text="a", labels=[])),
    ({"premise": "a", "hypothesis": "b", "labels": ["x"]},
     MultiLabelClassification(text="a", pair="b", labels=["x"])),
    ({"id": "1", "comment_text": "a", "toxic": 0, "threat": 1, "insult": True},
     MultiLabelClassification(text="a", labels=["threat", "insult"])),
    ({"tokens": ["a", "b"], "tags": ["B-X", "O"]},
     TokenLabels(tokens=["a", "b"], tags=["B-X", "O"])),
    ({"id": "1", "tokens": ["a"], "ner_tags": [3]}, TokenLabels(tokens=["a"], tags=["3"])),
    ({"words": ["a"], "labels": ["NOUN"]}, TokenLabels(tokens=["a"], tags=["NOUN"])),
]  # fmt: skip


@pytest.mark.parametrize(("row", "example"), RECOGNISED)
def test_recognised_and_turned_into_an_example(row, example):
    refuse_unsupported([row] * 4)
    (match,) = recognise([row] * 4)
    assert match.gives is type(example)
    assert match.check(row) is None
    assert match.to_example(row) == example


@pytest.mark.parametrize("write", [json.dumps, repr], ids=["JSON", "Python"])
@pytest.mark.parametrize(("row", "example"), RECOGNISED)
def test_cells_of_tables_are_read_alike(row, example, write):
    cells = {name: value if isinstance(value, str) else write(value) for name, value in row.items()}
    (match,) = recognise([cells] * 4)
    assert match.check(cells) is None
    assert match.to_example(cells) == example


TAGGED = {"tokens": ["Ann", "sleeps"], "tags": ["B-PER", "O"]}


@pytest.mark.parametrize(
    ("name", "row", "code"),
    [
        ("regression", {"text": "a", "score": "high"}, "no_number"),
        ("regression", {"text": "a", "score": float("nan")}, "no_number"),
        ("regression", {"text": "a", "score": "inf"}, "no_number"),
        ("regression", {"text": "a", "score": "1e308"}, "no_number"),  # two make the mean infinite
        ("regression", {"text": "a", "score": 10**400}, "wrong_type"),
        ("regression", {"text": "a", "score": None}, "no_score"),
        ("regression", {"text": "a", "score": ""}, "no_score"),
        ("regression", {"text": "a", "score": True}, "wrong_type"),
        ("regression", {"text": "a", "score": [1]}, "wrong_type"),
        ("regression", {"text": "", "score": 1}, "empty"),
        ("multi_label", {"text": "a", "labels": None}, "no_label"),
        ("multi_label", {"text": "a", "labels": ""}, "no_label"),
        ("multi_label", {"text": "a", "labels": "x"}, "wrong_type"),
        ("multi_label", {"text": "a", "labels": ["x", None]}, "wrong_type"),
        ("multi_label", {"text": "a", "labels": ["x", " "]}, "wrong_type"),
        ("multi_label", {"text": "a", "labels": [0.5]}, "wrong_type"),
        ("multi_label", {"text": "a", "labels": ["x", "x "]}, "label_twice"),
        ("token_classification", TAGGED | {"tags": ["O"]}, "tag_count"),
        ("token_classification", TAGGED | {"tags": ["B-PER", None]}, "no_tag"),
        ("token_classification", TAGGED | {"tags": ["B-PER", ""]}, "no_tag"),
        ("token_classification", TAGGED | {"tags": ["B-PER", 0.5]}, "wrong_type"),
        ("token_classification", TAGGED | {"tags": ["B-PER", ["O"]]}, "wrong_type"),
        ("token_classification", TAGGED | {"tags": "B-PER O"}, "wrong_type"),
        ("token_classification", TAGGED | {"tokens": ["Ann", "\u200b"]}, "empty_word"),
        ("token_classification", TAGGED | {"tokens": ["Ann", 3]}, "wrong_type"),
        ("token_classification", TAGGED | {"tokens": []}, "empty"),
        ("token_classification", {"tags": ["O"]}, "missing"),
        ("translation", {"translation": {"de": "a"}}, "language_count"),
        ("translation", {"translation": {"de": "a", "en": ""}}, "empty"),
        ("translation", {"translation": {"de": 3, "en": "b"}}, "wrong_type"),
        ("translation", {"translation": "a"}, "wrong_type"),
        ("translation", {"translation": None}, "null"),
    ],
)
def test_rows_that_can_not_be_learned_say_why(name, row, code):
    problem = formats[name]().check(row)
    assert problem is not None
    assert (problem.code, bool(problem.message)) == (code, True)


def test_the_second_text_of_a_pair_must_be_there():
    pairs = formats["classification"](text="a", pair="b", target="label")
    assert pairs.check({"a": "x", "b": "y", "label": 1}) is None
    assert pairs.check({"a": "x", "b": "", "label": 1}).code == "empty"
    assert pairs.check({"a": "x", "label": 1}).code == "missing"


def test_a_column_for_each_label_holds_nothing_but_0_and_1():
    columns = formats["label_columns"](text="text", classes=("new", "good"))
    assert columns.columns == {"text", "new", "good"}
    assert columns.check({"text": "a", "new": 1, "good": 2}).code == "wrong_type"
    assert columns.check({"text": "a", "new": 1, "good": None}).code == "wrong_type"
    assert columns.to_example({"text": "a", "new": "0", "good": 1.0}).labels == ["good"]


def test_entities_and_parts_of_speech_together_are_asked_for():
    rows = [{"tokens": ["a"], "pos_tags": [4], "ner_tags": [0]}] * 4
    with pytest.raises(NeedsMappingError) as asked:
        format_of(rows)
    assert asked.value.guess == formats["token_classification"](tokens="tokens", tags="ner_tags")


@pytest.mark.parametrize(
    ("rows", "labels", "codes"),
    [
        ([{"text": "a", "labels": ["x"]}, {"text": "b", "labels": []}] * 2, {"x": 2}, set()),
        ([{"text": str(n), "labels": ["x"]} for n in range(3)], {"x": 3}, {"single_class"}),
        ([TAGGED, {"tokens": ["It", "sleeps"], "tags": ["O", "O"]}], {"B-PER": 1, "O": 2},
         {"rare_class"}),
        ([{"prompt": str(n), "completion": "b", "label": True} for n in range(3)],
         {"desirable": 3}, {"single_class"}),
    ],
)  # fmt: skip
def test_the_report_counts_rows_of_every_class(tmp_path, rows, labels, codes):
    path = tmp_path / "data.jsonl"
    path.write_text(json_lines(rows))
    report = check(path).report
    assert report.labels == labels
    assert set(report.codes) - {"duplicate"} == codes


def labelled(cells):
    return [{"text": f"text number {n}", "label": cell} for n, cell in enumerate(cells)]


@pytest.mark.parametrize("separator", [",", "|", ";"])
def test_combinations_of_labels_are_several_labels(separator):
    cells = [cell.replace(",", separator) for cell in ("a,b", "a", "b, c", "", "c,a,b", "c")]
    read = format_of(labelled(cells))
    assert (read.name, read.separator) == ("multi_label", separator)
    rows = [read.to_example(row).labels for row in labelled(cells)]
    assert rows == [["a", "b"], ["a"], ["b", "c"], [], ["c", "a", "b"], ["c"]]


@pytest.mark.parametrize(
    "cells",
    [
        ["Paris, France", "London, UK", "Berlin, Germany", "Rome, Italy"],
        ["spam", "ham", "spam", "ham"],
        ["and/or", "either", "and/or", "either"],
        ["1", "2", "1", "3"],
    ],
)
def test_names_with_a_comma_in_them_stay_single_classes(cells):
    assert format_of(labelled(cells)).name == "classification"


def test_what_may_be_either_is_asked():
    cells = ["sports, ball", "music, ball", "sports, club", "arts, fair"]
    with pytest.raises(NeedsMappingError) as asked:
        format_of(labelled(cells))
    assert {one.name for one in asked.value.candidates} == {"classification", "multi_label"}
