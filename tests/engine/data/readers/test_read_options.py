"""What a file does not tell of itself: its owner says it, and it is read so."""

from __future__ import annotations

import pytest
from openpyxl import Workbook
from pydantic import ValidationError

from maxaillm.dev.finetune.data.readers import ReadOptions, Record, open_records
from maxaillm.dev.finetune.data.reading.examples import read_examples
from maxaillm.dev.finetune.data.reading.validate import validate
from maxaillm.dev.finetune.errors import DataError

TALKS = {
    "cp1251": ("Сколько стоит доставка?", "Триста рублей."),
    "koi8-r": ("Сколько стоит доставка?", "Триста рублей."),
    "cp1253": ("Πόσο κοστίζει η αποστολή στην Αθήνα;", "Κοστίζει πέντε ευρώ."),
    "cp1255": ("כמה עולה המשלוח לתל אביב והסביבה?", "המשלוח עולה שלושים שקלים."),
    "cp1256": ("كم سعر الشحن إلى القاهرة؟", "نعم خلال أسبوع، خمسة ريالات."),
    "gb18030": ("退货需要几天？运费多少？", "七天之内。满一百免运费。"),
    "big5": ("退貨需要幾天？運費多少？", "七天之內。滿一百免運費。"),
    "shift_jis": ("返品はできますか？送料はいくらですか？", "はい、無料です。"),
    "euc_kr": ("반품할 수 있나요? 배송비는 얼마인가요?", "칠일 이내 가능합니다."),
    "cp1250": ("Ile kosztuje wysyłka do Łodzi? Źle mówię?", "Pięć złotych, proszę."),
    "cp1254": ("Kargo ücreti ne kadar, şehir içi?", "Beş lira, çünkü yakın; sağ ol ağabey."),
    "cp1252": ("Was kostet das für zwölf Stück?", "Zwölf Euro fünfzig, größer wäre müßig."),
}


def rows_of(path, **options):
    records = open_records(path, options=ReadOptions(**options))
    return [record.row for record in records if isinstance(record, Record)]


def table(tmp_path, text, name="a.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("codec", TALKS)
def test_an_old_encoding_is_told_or_asked_and_never_guessed_wrong(tmp_path, codec):
    prompt, completion = TALKS[codec]
    path = table(tmp_path, "prompt,completion\n" + f'"{prompt}","{completion}"\n' * 12, "a", codec)
    right = {"prompt": prompt, "completion": completion}
    records = open_records(path)
    assert records.doubt or next(iter(records)).row == right
    assert rows_of(path, encoding=codec)[0] == right


def test_what_may_be_one_of_two_is_asked(tmp_path):
    path = table(tmp_path, "prompt,completion\nСколько,Триста\n", encoding="koi8-r")
    report = validate(path)
    assert report.status == "needs_mapping"
    assert "Thai" in report.error.message and "Russian" in report.error.message
    with pytest.raises(DataError, match="Russian"):
        list(read_examples(path))
    (example,) = read_examples(path, options=ReadOptions(encoding="koi8-r"))
    assert example.messages[0].content == "Сколько"
    assert validate(path, options=ReadOptions(encoding="koi8-r")).status == "ready"


def test_a_broken_line_does_not_hide_the_encoding(tmp_path):
    prompt, completion = TALKS["gb18030"]
    content = f"prompt,completion\n{prompt},{completion}\n" * 9
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode("gb18030") + b"\xff\xff,x\n")
    records = open_records(path)
    assert (records.encoding, records.doubt) == ("GB 18030 (Chinese)", "")
    *_, last = records
    assert [note.code for note in last.notes] == ["broken_text"]


@pytest.mark.parametrize("name", ["windows-1256", "CP1256", "cp1256"])
def test_encodings_have_several_names(name):
    assert ReadOptions(encoding=name).encoding == "cp1256"
    assert ReadOptions(encoding="gbk").encoding == "gb18030"


@pytest.mark.parametrize("wrong", [{"encoding": "klingon"}, {"delimiter": "ab"}, {"delimiter": "a"},
                                   {"skip_rows": -1}, {"header_rows": 9}])  # fmt: skip
def test_what_can_not_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        ReadOptions(**wrong)


def test_delimiter_header_and_rows_above_can_be_said(tmp_path):
    path = table(tmp_path, "by me\n2024\nfirst~second\na~b\n", "a.txt")
    assert rows_of(path, delimiter="~", skip_rows=2, header_rows=1) == [
        {"first": "a", "second": "b"}
    ]
    assert rows_of(path, delimiter="~", skip_rows=3, header_rows=0) == [
        {"column_1": "a", "column_2": "b"}
    ]


def test_names_in_two_rows_are_joined(tmp_path):
    path = table(tmp_path, "review,,about\ntext,label,id\ngood,pos,1\nbad,neg,2\n")
    assert rows_of(path, header_rows=2)[0] == {
        "review text": "good", "review label": "pos", "about id": "1",
    }  # fmt: skip


def test_titles_above_a_table_are_left_out_and_told(tmp_path):
    path = table(tmp_path, "Report 2024;\n;\ntext;label\ngood;pos\nbad;neg\nfine;pos\n")
    records = open_records(path)
    assert next(iter(records)).row == {"text": "good", "label": "pos"}
    assert [note.code for note in records.notes] == ["rows_above"]
    assert next(iter(records)).line == 4


def workbook(path, **sheets):
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_excels_own_line_about_the_delimiter_is_followed(tmp_path):
    path = table(tmp_path, "sep=;\r\ntext;label\r\n1,5 litres, please;a\r\nno, thanks;b\r\n")
    assert rows_of(path)[0] == {"text": "1,5 litres, please", "label": "a"}


HEAD = ["text", "label"]


def test_a_sheet_can_be_chosen_and_the_others_are_named(tmp_path):
    path = workbook(tmp_path / "a.xlsx", Cover=[["Report"]], May=[HEAD, ["a", "x"]],
                    June=[HEAD, ["b", "y"], ["c", "y"]])  # fmt: skip
    records = open_records(path)
    assert next(iter(records)).row == {"text": "a", "label": "x"}
    assert records.sheets == ("Cover", "May", "June")
    (note,) = records.notes
    assert note.code == "other_sheets" and "'June' (3 rows)" in note.message
    assert len(rows_of(path, sheet="June")) == 2
    with pytest.raises(DataError, match="no sheet 'July'"):
        rows_of(path, sheet="July")


def test_sheets_that_are_called_like_splits_are_splits(tmp_path):
    path = workbook(tmp_path / "a.xlsx", train=[HEAD, ["a", "x"]], test=[HEAD, ["b", "y"]])
    assert rows_of(path) == [
        {"text": "a", "label": "x", "split": "train"}, {"text": "b", "label": "y", "split": "test"},
    ]  # fmt: skip


def test_files_that_were_joined_are_read_whole(tmp_path):
    path = table(tmp_path, "\ufeffa,b\r\n1,x\r\n\ufeffa,b\r\n2,y\r\n")
    records = open_records(path)
    assert [record.row for record in records] == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert [note.code for note in records.aside.notes()] == ["repeated_header"]
    lines = '\ufeff{"a": 1}\n{"a": 2}\n\ufeff{"a": 3}\n'
    assert len(rows_of(table(tmp_path, lines, "a.jsonl"))) == 3
    assert len(rows_of(table(tmp_path, lines, "b.jsonl", "utf-16"))) == 3


def test_backslashes_before_quotation_marks(tmp_path):
    text = 'text,label\n"He said \\"stop\\", and left",a\n"C:\\temp\\new",b\n"a ""b""",a\n'
    assert [row["text"] for row in rows_of(table(tmp_path, text))] == [
        'He said "stop", and left', "C:\\temp\\new", 'a "b"',
    ]  # fmt: skip


def test_numbers_of_rows_are_called_index(tmp_path):
    for first in ("", "Unnamed: 0"):
        path = table(tmp_path, f"{first},text,label\n0,good,pos\n1,bad,neg\n2,fine,pos\n")
        assert open_records(path).columns == ("index", "text", "label")
