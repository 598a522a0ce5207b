"""Reading: encodings, kinds, layouts; every record comes out, good or bad."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from maxaillm.dev.finetune.data.readers import open_records
from maxaillm.dev.finetune.errors import DataError
from tests.engine.data.files import check, count_of, error_of, json_lines, read

ROW = {"prompt": "Wie heißt das?", "completion": "Das heißt „Öl“."}


def write(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with byte order mark"),
        ("utf-16", "UTF-16, little endian"),
        ("utf-16-le", "UTF-16, little endian, without byte order mark"),
        ("utf-16-be", "UTF-16, big endian, without byte order mark"),
        ("utf-32", "UTF-32"),
        ("cp1252", "Windows-1252"),
    ],
)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_encodings_are_recognised_and_said(tmp_path, name, encoding, words):
    line = json.dumps(ROW, ensure_ascii=False)
    table = 'prompt,completion\r\n"Wie heißt das?","Das heißt „Öl“."\r\n'
    contents = {"rows.jsonl": f"{line}\n", "rows.json": f"[{line}]", "rows.csv": table}
    path = write(tmp_path, name, contents[name], encoding)
    assert open_records(path).encoding == words
    assert read(path).rows == [ROW]


@pytest.mark.parametrize(
    ("text", "encoding", "words"),
    [
        ("Привет, как дела? Всё хорошо, спасибо.", "cp1251", "Windows-1251 (Cyrillic)"),
        ("你好，今天天气怎么样？谢谢你的帮助，再见。", "gb18030", "GB 18030 (Chinese)"),
    ],
)
def test_old_encodings_of_other_scripts(tmp_path, text, encoding, words):
    path = write(tmp_path, "old.txt", f"{text}\n" * 20, encoding)
    assert open_records(path).encoding == words
    assert read(path).rows[0] == {"text": text}


def test_a_broken_byte_in_utf8_costs_one_character_and_is_told(tmp_path):
    good = '{"text": "größer"}\n'.encode()
    path = write(tmp_path, "rows.jsonl", good * 20 + b'{"text": "a\xffb"}\n' + good)
    records = list(open_records(path))
    assert records[20].row == {"text": "a�b"}
    assert [note.code for note in records[20].notes] == ["broken_text"]
    assert not any(record.notes for record in records[:20])


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", '{"text": "a"}\n{"text": "b"}\n', "jsonl"),
        ("a.jsonl", '[{"text": "a"},\n {"text": "b"}]', "json"),
        ("a.csv", '{"text": "a"}\n{"text": "b"}\n', "jsonl"),
        ("a.txt", '[\n {"text": "a"}, {"text": "b"}\n]', "json"),
        ("A.JSONL", '{"text": "a"}\r\n\r\n  {"text": "b"}  \r\n', "jsonl"),
        ("a.json", '{"version": 1, "data": [{"text": "a"}, {"text": "b"}], "n": 2}', "json"),
        ("a.json", '{\n "text": "a"\n}\n{\n "text": "b"\n}', "json"),
        ("a.json", '["a", "b"]', "json"),
        ("a.txt", "a\n\n \nb\n", "text"),
        ("a.csv", "text\na\nb\n", "csv"),
        ("a", "text\tn\na\t1\nb\t2\n", "tsv"),
    ],
)
def test_the_content_decides_the_kind(tmp_path, name, content, kind):
    path = write(tmp_path, name, content)
    assert open_records(path).kind == kind
    assert [row["text"] for row in read(path).rows] == ["a", "b"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_every_layout(tmp_path, delimiter, end):
    cells = [
        ["question", "answer"],
        ["What now?", f'"He said ""a{delimiter}b"""'],
        ["Two, lines" if delimiter != "," else "Two lines", f'"one{end}two"'],
        ["Well; yes" if delimiter != ";" else "Well yes", "fine"],
    ]
    path = write(tmp_path, "a.csv", end.join(delimiter.join(row) for row in cells))
    assert open_records(path).delimiter == delimiter
    answers = [row["answer"] for row in read(path).rows]
    assert answers == [f'He said "a{delimiter}b"', f"one{end}two", "fine"]


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.tsv", "ham\tOk lar.\nspam\tWin now!\nham\tSee you\nham\tYes\n", 2),
        ("a.txt", "Good case.\t1\nBad case.\t0\n", 2),
        ("a.csv", "1,2,3\n4,5,6\n", 3),
    ],
)
def test_without_a_header_columns_are_numbered(tmp_path, name, content, columns):
    path = write(tmp_path, name, content)
    assert open_records(path).columns == tuple(f"column_{n + 1}" for n in range(columns))
    assert len(read(path).rows) == content.count("\n")


@pytest.mark.parametrize("header", ["text;score\n", ""])
def test_a_decimal_comma_is_no_delimiter(tmp_path, header):
    lines = "".join(f"Hello {n};{n},5\n" for n in range(20))
    path = write(tmp_path, "a.csv", header + lines)
    assert open_records(path).delimiter == ";"
    assert [list(row.values()) for row in read(path).rows[:2]] == [
        ["Hello 0", "0,5"], ["Hello 1", "1,5"],
    ]  # fmt: skip
    path.write_text(header + lines.replace(",5", ",five"))
    assert open_records(path).delimiter == ("," if not header else ";")


def test_numbers_with_a_decimal_comma_are_numbers_where_they_are_wanted(tmp_path):
    values = ["3,5", "-0,125", "12", "4.5", "1,234", "a,b"]
    lines = [f"Hello {n};{value}" for n, value in enumerate([*values, *["1,5"] * 40])]
    result = check(write(tmp_path, "a.csv", "\n".join(["text;score", *lines])))
    assert result.report.format["name"] == "regression"
    assert [example.score for example in result.examples[:4]] == [3.5, -0.125, 12, 4.5]
    assert [(bad.line, bad.code) for bad in result.findings if bad.level == "bad"] == [
        (6, "no_number"), (7, "no_number"),  # 1,234 may be more than a thousand
    ]  # fmt: skip


def test_repeated_and_empty_names_of_columns(tmp_path):
    records = open_records(write(tmp_path, "a.csv", "text,text,,label\na,b,c,d\n"))
    assert records.columns == ("text", "text_2", "column_3", "label")
    assert [note.code for note in records.notes] == ["duplicate_column"]


def test_a_tsv_with_loose_quotes_keeps_every_row(tmp_path):
    rows = ['ham\t"Hi there', 'ham\tsays "so"', 'spam\t"Win" now', 'ham\t"all quoted"'] * 10
    outcome = read(write(tmp_path, "a.tsv", "\n".join(rows)))
    assert len(outcome.rows) == 40
    assert outcome.rows[0]["column_2"] == '"Hi there'


def test_rows_of_the_wrong_width_are_named_and_the_others_kept(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\na,x\nalone\nb,y,extra\nc,z,,\n")
    outcome = read(path)
    assert [row["text"] for row in outcome.rows] == ["a", "c"]
    assert [(bad.line, bad.code) for bad in outcome.bad] == [(3, "wrong_width"), (4, "wrong_width")]


@pytest.mark.parametrize("last", ["", "\n", '"m","n"\n'])
def test_an_unclosed_quote_costs_its_own_row_only(tmp_path, last):
    lines = ['"text","label"'] + [f'"text {n}","label"' for n in range(20)]
    lines[7] = '"text 6,label'
    outcome = read(write(tmp_path, "a.csv", "\n".join(lines) + ("\n" + last).rstrip("\n")))
    assert [(bad.line, bad.code) for bad in outcome.bad] == [(8, "unclosed_quote")]
    assert len(outcome.rows) == 19 + ("m" in last)


def test_broken_lines_of_json_are_named_and_the_others_kept(tmp_path):
    broken = [
        "{'text': 'python'}",
        '{"text": "comma",}',
        '{"n": NaN}',
        '{"n": 1e999}',
        '{"text": "a"} {"text": "b"}',
        '{"n": ' + "9" * 5000 + "}",
        '{"deep": ' + "[" * 70 + "]" * 70 + "}",
        "[" * 100_000,
        "17",
        "null",
        '{"text": "cut',
    ]
    good = '{"text": "fine"}'
    path = write(tmp_path, "a.jsonl", "\n".join(f"{good}\n{line}" for line in broken))
    outcome = read(path)
    assert [row["text"] for row in outcome.rows] == ["fine"] * len(broken)
    assert [bad.line for bad in outcome.bad] == [2 * n + 2 for n in range(len(broken))]
    assert [bad.code for bad in outcome.bad] == (
        ["not_json"] * 2 + ["not_finite"] * 2 + ["not_json", "number_too_long"]
        + ["too_deep"] * 2 + ["not_an_object"] * 2 + ["not_json"]
    )  # fmt: skip
    assert all(len(bad.snippet) <= 200 for bad in outcome.bad)


def test_nul_half_pairs_and_repeated_keys_are_mended_and_told(tmp_path):
    lines = r"""
{"text": "a\u0000b"}
{"text": "\ud83d!"}
{"text": "\ud83d\ude00"}
{"text": "first", "text": "second"}
""".lstrip()
    records = list(open_records(write(tmp_path, "a.jsonl", lines)))
    assert [record.row["text"] for record in records] == ["ab", "�!", "😀", "second"]
    assert [[note.code for note in record.notes] for record in records] == [
        ["nul_removed"], ["broken_text"], [], ["duplicate_key"],
    ]  # fmt: skip


def test_values_longer_than_the_window_are_read_whole(tmp_path):
    rows = [{"text": "x" * size} for size in (10, 300_000, 3_000_000, 5)]
    assert read(write(tmp_path, "a.json", json.dumps(rows))).rows == rows
    assert read(write(tmp_path, "a.jsonl", json_lines(rows))).rows == rows


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("a.jsonl", '{"text": "a"}', '{"text": "b"}'), ("a.csv", "text", "b"), ("a.txt", "a", "b")],
)
def test_an_endless_line_costs_its_own_row_only(tmp_path, name, first, last):
    endless = "x" * (17 * 2**20)
    outcome = read(write(tmp_path, name, f"{first}\n{endless}\n{last}\n"))
    assert [(bad.line, bad.code) for bad in outcome.bad] == [(2, "record_too_long")]
    assert outcome.rows[-1] == {"text": "b"}


def test_an_endless_text_in_a_document_is_refused(tmp_path):
    error = error_of(write(tmp_path, "a.json", '["' + "x" * (17 * 2**20)))
    assert error.code == "record_too_long"
    assert "line 1" in error.message


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.jsonl", "", "empty_file"),
        ("a.csv", " \r\n\t\r\n", "empty_file"),
        ("a.csv", "text,label\n", "no_rows"),
        ("a.csv", '"text,label\na,b\nc,d\n', "broken_header"),
        ("a.json", "[]", "no_rows"),
        ("a.json", "[" * 100_000, "too_deep"),
        ("a.json", '[{"text": "a"}, {"text": "b"', "not_json"),
        ("a.json", '[{"text": "a"}]]', "not_json"),
        ("a.json", '{"data": [{"a": 1}], "rows": [{"a": 1}]}', "two_lists"),
        ("a.csv", ",".join(map(str, range(2000))) + "\n", "too_many_columns"),
        ("a.csv", b"PK\x03\x04" + bytes(100), "broken_archive"),
        ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "unsupported_file"),
        ("a.json", b"%PDF-1.7 ...", "unsupported_file"),
        ("a.jsonl", b"PAR1" + bytes(100), "broken_file"),
        ("a.csv", gzip.compress(b"text,label\na,b\n", mtime=0)[:-9], "broken_archive"),
        ("a.txt", "<!DOCTYPE html><html></html>", "unsupported_file"),
        ("a.txt", bytes(range(256)), "unsupported_file"),
    ],
)
def test_what_can_not_be_read_is_refused_in_a_sentence(tmp_path, name, content, code):
    error = error_of(write(tmp_path, name, content))
    assert error.code == code
    assert error.message.endswith(".")
    if code == "not_json":
        assert "line 1, column" in error.message


def test_the_name_the_owner_gave_counts_not_the_one_on_the_disk(tmp_path):
    path = write(tmp_path, "upload", '{"a": 1}\nnonsense\n')
    assert open_records(path, name="rows.jsonl").kind == "jsonl"
    assert count_of(path) == 2


def test_a_file_that_is_not_there_is_said(tmp_path):
    for missing in (tmp_path / "no.jsonl", tmp_path):
        with pytest.raises(DataError, match="There is no file"):
            open_records(missing)
