"""Templates over columns: `{title}` and `{body}` make one text, wherever a text is read."""

from __future__ import annotations

import pytest

from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.rows.column_templates import columns_in, mistake_in
from tests.engine.data.files import check, json_lines
from tests.engine.data.formats.family_rows import FAMILIES

ROW = {"title": "Tea", "body": "Leaves.", "n": 3, "ok": True, "empty": "", "none": None, "l": [1]}


def text_of(template):
    read = formats["text"](text=template)
    assert read.check(ROW) is None
    return read.to_example(ROW).text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{title}", "Tea"),
        ("{title}\n\n{body}", "Tea\n\nLeaves."),
        ("{title} and {title}", "Tea and Tea"),
        ("{n}: {ok}", "3: true"),
        ("{{{title}}}", "{Tea}"),
        ("{{title}} is {title}", "{title} is Tea"),
    ],
)
def test_cells_are_put_in(template, text):
    assert text_of(template) == text


def test_what_a_cell_holds_is_never_a_template():
    row = {"a": "{b} {0.__class__} {{", "b": "secret"}
    read = formats["text"](text="<{a}>")
    assert read.to_example(row).text == "<{b} {0.__class__} {{>"


@pytest.mark.parametrize("name", ["title.__class__", "title[0]", "title!r", "title:>9", "0", ""])
def test_nothing_but_names_of_columns_is_understood(name):
    read = formats["text"](text=f"{{{name}}} {{title}}")
    problem = read.check(ROW)
    assert name == "" or (problem.code, repr(name) in problem.message) == ("missing", True)


@pytest.mark.parametrize(
    ("column", "code"),
    [("nope", "missing"), ("empty", "empty"), ("none", "null"), ("l", "wrong_type")],
)
def test_a_row_without_one_of_the_cells_is_bad(column, code):
    problem = formats["text"](text=f"{{title}} {{{column}}}").check(ROW)
    assert problem.code == code
    assert column in problem.message
    assert f"{{{column}}}" in problem.fix


def test_a_cell_that_is_named_many_times_does_not_fill_the_memory():
    row = {"a": "x" * 1_000_000}
    assert formats["text"](text="{a}" * 17).check(row).code == "too_long"


def test_a_column_may_have_braces_in_its_name():
    assert (
        formats["text"](text="{title}").to_example({"{title}": "own", "title": "x"}).text == "own"
    )


def test_the_columns_are_those_that_the_template_names():
    pair = formats["prompt_completion"](prompt="{title}: {body}", completion="answer")
    assert pair.columns == {"title", "body", "answer"}
    assert columns_in("{title}: {{body}} {title}") == ("title",)
    assert columns_in("title") == ()


@pytest.mark.parametrize(
    "template", ["{title", "title}", "{title}}", "{}", "x" * 3_000, "{a}" * 60]
)
def test_badly_written_templates_are_told(template):
    assert mistake_in(template)


@pytest.mark.parametrize("template", ["title", "{title}", "{{title}}", "{a} {b}"])
def test_well_written_ones_are_not(template):
    assert mistake_in(template) is None


TEXT_FIELDS = [
    (name, field) for name, cls in formats.items() for field in sorted(cls.text_fields())
]


def test_every_format_with_a_text_takes_templates():
    without = {name for name, cls in formats.items() if not cls.text_fields()}
    assert without == {
        "token_classification", "translation", "segments", "gemini", "squad", "api_log",
        "bedrock", "chatgpt", "claude", "entity_spans", "label_studio_choices",
        "label_studio_entities",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "field"), TEXT_FIELDS)
def test_a_template_does_what_the_column_would_do(name, field):
    row, _ = FAMILIES[name][0]
    row = row | {"extra": "Hi", field: row.get(field, "Hi")}
    found = formats[name].recognise([FAMILIES[name][0][0]] * 4)
    column = getattr(found, field) or "extra"
    named = found.model_copy(update={field: column})
    if isinstance(row[column], str):
        templated = found.model_copy(update={field: f"{{{column}}}"})
        assert templated.check(row) is named.check(row) is None
        assert templated.to_example(row) == named.to_example(row)
    broken = found.model_copy(update={field: "{extra} {not there}"})
    assert "not there" in broken.check(row).message


def test_a_file_is_checked_with_a_template(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([{"t": "a", "b": "c", "x": "d"}, {"t": "a", "x": "d"}]))
    result = check(path, formats["prompt_completion"](prompt="{t}/{b}", completion="x"))
    assert (result.report.rows, result.report.bad_rows) == (1, 1)
    assert result.examples[0].messages[0].content == "a/c"
    assert result.of_code("missing")[0].row == 2
