"""Tagged words: CoNLL, CoNLL-U and BIO files, a sentence a record."""

from __future__ import annotations

from maxaillm.dev.finetune.data.readers import BadRecord, open_records
from tests.engine.data.files import check, read

CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O

Peter NNP I-NP I-PER
"""
TREEBANK = """# sent_id = 1
# text = Let's go.
1-2\tLet's\t_\t_\t_\t_\t_\t_\t_\t_
1\tLet\tlet\tVERB\tVB\t_\t0\troot\t_\t_
2\t's\twe\tPRON\tPRP\t_\t1\tobj\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t1\txcomp\t_\tSpaceAfter=No

"""


def write(tmp_path, text, name):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_words_and_their_tags_make_a_record_a_sentence(tmp_path):
    path = write(tmp_path, CONLL, "eng.train")
    records = open_records(path)
    assert records.kind == "conll"
    assert [record.row["tokens"] for record in records] == [["EU", "rejects"], ["Peter"]]
    assert [record.line for record in records] == [3, 6]
    report = check(path).report
    assert report.status == "needs_mapping"  # of three kinds of tags, the owner chooses one
    assert (report.format["tokens"], report.format["tags"]) == ("tokens", "ner_tags")


def test_two_columns_need_no_question(tmp_path):
    path = write(tmp_path, "Anna B-PER\nlives O\n\nOslo B-LOC\n. O\n", "a.txt")
    assert [example.tags for example in check(path).examples] == [["B-PER", "O"], ["B-LOC", "O"]]


def test_treebanks_give_parts_of_speech(tmp_path):
    path = write(tmp_path, TREEBANK, "en.conllu")
    checked = check(path)
    (example,) = checked.examples
    assert (example.tokens, example.tags) == (["Let", "'s", "go"], ["VERB", "PRON", "VERB"])
    told = [finding.message for finding in checked.of_code("no_words")]
    assert [words.split()[0] for words in told] == ["2", "1"]


def test_a_line_too_short_costs_its_sentence(tmp_path):
    path = write(tmp_path, "Anna B-PER\nlives\n\nOslo B-LOC\n\nin O\n\n" * 4, "a.bio")
    outcome = read(path)
    assert len(outcome.rows) == 8
    assert [(type(bad), bad.line) for bad in outcome.bad][:2] == [(BadRecord, 2), (BadRecord, 9)]
