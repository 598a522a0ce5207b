"""Long lists of exchanges: one conversation, or a row for each? The owner is asked."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.data.formats import formats
from maxaillm.dev.finetune.data.reading.examples import read_examples
from tests.engine.data.files import check

MANY = 40
EXCHANGES = [{"input": f"question {n}", "output": f"answer {n}"} for n in range(MANY)]
TURNS = [
    {"role": role, "content": text}
    for n in range(MANY)
    for role, text in (("user", f"question {n}"), ("assistant", f"answer {n}"))
]
SAID = [{"from": turn["role"], "value": turn["content"]} for turn in TURNS]
FILES = {
    "conversation": {"conversations": EXCHANGES},
    "messages": {"messages": [{"role": "system", "content": "Be kind."}, *TURNS]},
    "sharegpt": {"conversations": SAID},
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_asked_and_both_answers_are_carried_out(tmp_path, name):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(FILES[name]))
    report = check(path).report
    assert report.status == "needs_mapping"
    assert [choice["unit"] for choice in report.candidates] == ["conversation", "exchange"]
    whole, apart = (
        check(path, formats[name].model_validate(choice)).examples for choice in report.candidates
    )
    assert len(whole) == 1
    assert len(apart) == MANY
    assert apart[7].messages[-1].content == "answer 7"
    assert "question 6" not in apart[7].model_dump_json()
    assert len(list(read_examples(path))) == 1  # nobody can be asked


def test_a_usual_conversation_is_not_asked_about(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"conversations": EXCHANGES[:6]}] * 3))
    assert check(path).report.status == "ready"


def test_rows_that_a_run_would_cut_are_said(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"conversations": EXCHANGES * 4}))
    chosen = formats["conversation"]()
    assert "1 of 1 rows (100 %)" in check(path, chosen).of_code("may_be_cut")[0].message
