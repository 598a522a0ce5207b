"""Records that hold several rows, rows that need others, and files of several shapes."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.data.formats import chatgpt, conversation_tree, formats
from maxaillm.dev.finetune.data.reading import amplification
from maxaillm.dev.finetune.data.reading.examples import read_examples
from maxaillm.dev.finetune.data.reading.recognition import format_of
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import check, json_lines
from tests.engine.data.formats.family_rows import node

NOT_ROWS = [None, 3, "text", [], ["a"], [3], [None], {}, {"text": []}, [{}], [{"qas": []}]]


@pytest.mark.parametrize("value", NOT_ROWS, ids=repr)
@pytest.mark.parametrize("name", formats)
def test_no_record_is_lost_whatever_it_holds(name, value):
    read = formats[name].model_validate({"classes": ["a", "b"]} if name == "label_columns" else {})
    record = dict.fromkeys(read.columns, value)
    rows = list(read.unfolder()(record))
    assert len(rows) >= 1
    assert list(read.unfolder()({}))
    assert all(read.check(row) or isinstance(read.to_example(row), read.gives) for row in rows)


def article(split, *questions):
    asked = [
        {"question": question, "answers": [{"text": answer}] if answer else []}
        for question, answer in questions
    ]
    return {"split": split, "paragraphs": [{"context": "Once.", "qas": asked}]}


def test_every_question_of_an_article_is_counted(tmp_path):
    path = tmp_path / "a.json"
    articles = [
        article("train", ("Who?", "She."), ("Why?", "")),
        article("train"),
        article("test", ("What?", "It.")),
    ]
    path.write_text(json.dumps({"version": "2.0", "data": articles}, indent=1))
    report, examples, findings = check(path)
    assert (report.rows, report.bad_rows) == (2, 2)
    bad = [(finding.row, finding.code) for finding in findings if finding.level == "bad"]
    assert bad == [(2, "no_answer"), (3, "no_question")]
    assert "Why?" in findings[0].snippet
    assert "Who?" not in findings[0].snippet
    assert [example.split for example in examples] == ["train", "test"]
    with pytest.raises(DataError, match="Row 2, line"):
        list(read_examples(path))


def test_instances_of_a_task_are_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    given = [{"input": "1", "output": "2"}, {"input": "", "output": "3"}]
    path.write_text(json_lines([{"instruction": "Add.", "instances": given}] * 2))
    result = check(path)
    assert [example.messages[0].content for example in result.examples] == ["Add.\n\n1", "Add."] * 2
    assert list(read_examples(path)) == result.examples


def said(own, parent, question, answer="Yes."):
    return {"id": own, "parent_id": parent, "instruction": question, "output": answer}


def test_rows_follow_each_other_and_learn_their_own_answer(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,parent_id,instruction,output\n1,,A?,a\n2,1,B?,b\n3,1,C?,c\n4,2,D?,d\n")
    report, examples, _ = check(path)
    assert (report.format["name"], report.rows) == ("conversation_tree", 4)
    chats = [[turn.content for turn in example.messages] for example in examples]
    assert chats == [["A?", "a"], ["A?", "a", "B?", "b"], ["A?", "a", "C?", "c"],
                     ["A?", "a", "B?", "b", "D?", "d"]]  # fmt: skip
    learned = [turn.content for turn in examples[3].messages
               if turn.role == "assistant" and turn.weight != 0]  # fmt: skip
    assert learned == ["d"]
    assert list(read_examples(path)) == examples


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ([said(1, 2, "a"), said(2, None, "b")], ["no_parent"]),
        ([said(1, 1, "a")], []),
        ([said(1, 2, "a"), said(2, 1, "b")], ["no_parent", "no_parent"]),
        ([said(1, "", "a"), said(1, "", "b")], ["id_twice"]),
        ([said(1, None, "a", ""), said(2, 1, "b"), said(3, 2, "c")],
         ["empty", "no_parent", "no_parent"]),
        ([said(0, -1, "a", ""), said(1, 0, "b")], ["empty", "no_parent"]),
        ([said(7.0, None, "a"), said("8", "7", "b")], []),
        ([said(None, None, "a"), said("b", None, "b")], ["wrong_type"]),
    ],
)  # fmt: skip
def test_a_row_whose_beginning_is_unknown_is_bad(tmp_path, rows, codes):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines(rows))
    result = check(path, formats["conversation_tree"]())
    bad = [finding for finding in result.findings if finding.level == "bad"]
    assert [finding.code for finding in bad] == codes
    assert all(finding.message and finding.fix for finding in bad)
    assert result.report.rows + result.report.bad_rows == len(rows)


def test_a_long_tree_is_kept_within_limits(monkeypatch):
    monkeypatch.setattr(conversation_tree, "KEPT_CHARS", 100)
    tree = formats["conversation_tree"]()
    link = tree.unfolder()
    problems = [tree.check(*link(said(n, n - 1 if n else None, "x" * 10))) for n in range(50)]
    assert {problem.code for problem in problems if problem} <= {"no_parent", "too_long"}
    assert problems[0] is None
    monkeypatch.setattr(conversation_tree, "KEPT_CHARS", 10**9)
    link = tree.unfolder()
    problems = [tree.check(*link(said(n, n - 1 if n else None, "x"))) for n in range(300)]
    assert problems[conversation_tree.MAX_TURNS] is None
    assert problems[conversation_tree.MAX_TURNS + 1].code == "too_long"


PAIR = {"prompt": "a", "completion": "b"}
ALPACA = {"instruction": "a", "output": "b"}


def test_a_file_that_goes_on_in_another_shape_is_told_as_a_whole(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([PAIR] * 1_000 + [ALPACA] * 2_000))
    result = check(path)
    assert (result.report.rows, result.report.bad_rows) == (1_000, 2_000)
    (finding,) = result.of_code("mixed_shapes")
    assert (finding.row, finding.level) == (None, "warning")
    assert "2,000 of 3,000 rows" in finding.message
    assert "instruction, output" in finding.message
    assert "looks like Instruction" in finding.message
    assert finding.fix


@pytest.mark.parametrize(
    "strange",
    [
        {"prompt": ["a"], "completion": "b"},
        {"prompt": "a"},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"x": "y" * 100_000},
    ],
)
def test_it_needs_a_fifth_of_the_rows(tmp_path, strange):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([PAIR] * 16 + [strange] * 4))
    assert check(path).of_code("mixed_shapes")
    path.write_text(json_lines([PAIR] * 17 + [strange] * 4))
    assert not check(path).of_code("mixed_shapes")


def test_empty_cells_are_no_other_shape(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([PAIR] * 8 + [PAIR | {"completion": ""}] * 7))
    assert not check(path).of_code("mixed_shapes")


def test_an_answer_that_was_made_anew_is_a_row_and_nothing_is_learned_twice():
    tree = {
        "r": {"message": None, "parent": None, "children": ["a"]},
        "a": node("user", "Hi", "r", "b", "c"),
        "b": node("assistant", "No", "a"),
        "c": node("assistant", "Yo", "a", "d"),
        "d": node("user", "And?", "c", "e", "f"),
        "e": node("assistant", "One", "d"),
        "f": node("assistant", "Two", "d"),
    }
    record = {"mapping": tree, "current_node": "f"}
    read = format_of([record] * 4)
    rows = list(read.unfolder()(record))
    learned = [
        [
            (turn.content, turn.weight)
            for turn in read.to_example(row).messages
            if turn.role != "user"
        ]
        for row in rows
    ]
    assert learned == [
        [("Yo", None), ("Two", None)], [("No", None)], [("Yo", 0.0), ("One", None)],
    ]  # fmt: skip


def test_each_annotation_of_a_task_is_a_row():
    def chosen(label, **more):
        return {"result": [{"type": "choices", "value": {"choices": [label]}}], **more}

    annotations = [chosen("a"), chosen("b", was_cancelled=True), chosen("c")]
    record = {"id": 1, "data": {"text": "Hi"}, "annotations": annotations}
    read = format_of([record] * 4)
    first, skipped, last = read.unfolder()(record)
    assert [read.to_example(row).label for row in (first, last)] == ["a", "c"]
    assert read.check(skipped).code == "skipped"


def test_a_task_that_was_skipped_is_not_learned_as_one_without_entities(tmp_path):
    span = {"type": "labels", "value": {"start": 0, "end": 2, "labels": ["X"]}}
    tasks = [
        {"data": {"text": "Hi you"}, "annotations": [{"result": [span]}]},
        {"data": {"text": "Hi there"}, "annotations": [{"result": [], "was_cancelled": True}]},
        {"data": {"text": "Nothing"}, "annotations": [{"result": []}]},
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(tasks))
    found = check(path)
    assert [example.tags for example in found.examples] == [["B-X", "O"], ["O"]]
    assert [finding.row for finding in found.of_code("skipped")] == [2]


def test_one_cell_of_another_type_is_no_other_shape(tmp_path):
    path = tmp_path / "a.jsonl"
    pair = PAIR | {"context": "c"}
    path.write_text(json_lines([pair] * 8 + [PAIR | {"completion": 3}] * 7))
    assert not check(path).of_code("mixed_shapes")


def a_paragraph_and_questions(size, questions):
    asked = [{"question": f"Q{n}?", "answers": [{"text": "A"}]} for n in range(questions)]
    return {"paragraphs": [{"context": "word " * (size // 5), "qas": asked}]}


def a_task_and_annotations(size, number):
    one = {"result": [{"type": "choices", "value": {"choices": ["good"]}}]}
    return {"data": {"text": "word " * (size // 5)}, "annotations": [one] * number}


def a_talk_and_branches(size, number):
    answers = {f"c{n}": node("assistant", "Yes", "a") for n in range(number)}
    return {"mapping": {
        "r": {"message": None, "parent": None, "children": ["a"]},
        "a": node("user", "word " * (size // 5), "r", *answers),
        **answers,
    }}  # fmt: skip


def instances_of_one(size, number):
    given = [{"input": "", "output": "A"}] * number
    return {"instruction": "word " * (size // 5), "instances": given}


REPEATING = [
    a_paragraph_and_questions, a_task_and_annotations, a_talk_and_branches, instances_of_one
]  # fmt: skip


@pytest.mark.parametrize("made", REPEATING)
def test_a_small_record_does_not_become_very_much_text(made, tmp_path, monkeypatch):
    """What is beyond so many times the record is said, not made."""
    monkeypatch.setattr(amplification, "ROOM", 2**12)
    monkeypatch.setattr(amplification, "TIMES", 10)
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([made(2_000, 3), made(20_000, 50), made(2_000, 3)]))
    report, examples, findings = check(path)
    bad = [finding for finding in findings if finding.level == "bad"]
    assert [finding.code for finding in bad] == ["too_many_rows"]
    assert bad[0].line == 2
    assert report.bad_rows == 1
    assert 10 <= report.rows - 6 <= 20
    assert sum(len(str(example)) for example in examples) < 12 * path.stat().st_size
    with pytest.raises(DataError, match="again and again"):
        list(read_examples(path))


@pytest.mark.parametrize("made", REPEATING)
def test_many_rows_of_a_record_that_repeat_little_are_all_read(made, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([made(200, 3_000)]))
    report, _, _ = check(path)
    assert (report.rows, report.bad_rows) == (3_000, 0)


@pytest.mark.parametrize("text", ["x", ""])
def test_a_tree_of_very_many_long_branches_is_not_walked_to_its_end(tmp_path, monkeypatch, text):
    """A chain of messages with an answer beside each: so many steps as the square of them."""
    monkeypatch.setattr(chatgpt, "TIMES_WALKED", 10)
    monkeypatch.setattr(chatgpt, "FEW_STEPS", 1_000)
    monkeypatch.setattr(amplification, "ROOM", 2**16)
    tree = {"n0": {"message": None, "parent": None, "children": ["n1", "m1"]}}
    for n in range(1, 600):
        role = "assistant" if n % 2 else "user"
        tree[f"n{n}"] = node(role, text, f"n{n - 1}", f"n{n + 1}", f"m{n + 1}")
        tree[f"m{n}"] = node("assistant", "Yes", f"n{n - 1}")
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([{"mapping": tree, "current_node": "m1"}]))
    report, _, findings = check(path)
    assert "too_many_rows" in {finding.code for finding in findings}
    assert report.rows + report.bad_rows < 300


@pytest.mark.parametrize("parent", [["n0"], {"n0": 1}, 3, None])
def test_a_parent_that_is_no_name_begins_a_branch(parent):
    tree = {"n0": node("user", "Hi", ""), "n1": node("assistant", "Yes", "n0")}
    tree["n1"]["parent"] = parent
    rows = list(formats["chatgpt"]().unfolder()({"mapping": tree, "current_node": "n1"}))
    assert [row.leaf for row in rows] == ["n1", "n0"]
