"""The command `validate`: what may be said of how the data file is written."""

from __future__ import annotations

import json

import pytest

from maxaillm.dev.finetune.__main__ import main
from maxaillm.dev.finetune.config.files import read_config
from maxaillm.dev.finetune.config.hosted import refusals


@pytest.fixture
def config(tmp_path):
    data = tmp_path / "talk.csv"
    data.write_bytes("prompt~completion\nСколько~Триста\n".encode("koi8-r"))
    path = tmp_path / "run.json"
    model = {"name": "starter/chat"}
    path.write_text(json.dumps({"model": model, "data": {"train_file": str(data)}}))
    return path


def report_of(capsys, *arguments):
    code = main(["validate", *map(str, arguments), "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out or told.err)


def test_a_file_is_read_as_its_owner_says(config, capsys):
    code, report = report_of(capsys, config, "--encoding", "koi8-r", "--delimiter", "~")
    assert (code, report["status"], report["rows"]) == (0, "ready", 1)
    assert report["sample"] == [{"prompt": "Сколько", "completion": "Триста"}]
    assert report["options"]["encoding"] == "koi8-r"


def test_every_command_reads_as_the_configuration_says(config, capsys):
    said = ["data.reading.encoding=koi8-r", 'data.reading.delimiter="~"']
    code, report = report_of(capsys, config, *said)
    assert (code, report["options"]["encoding"]) == (0, "koi8-r")
    assert report["in_the_model"]["rows"] == 1
    for command in ("tokens", "estimate"):
        assert main([command, str(config), *said, "--json"]) == 0
        assert main([command, str(config), "--json"]) != 0


def test_a_configuration_of_how_files_are_written_is_no_sites(config):
    asked = read_config(config, ["data.reading.encoding=koi8-r"])
    assert [problem.path for problem in refusals(asked)] == ["data.train_file", "data.reading"]


def test_what_can_not_be_said_is_refused_by_its_name(config, capsys):
    code = main(["validate", str(config), "--encoding", "klingon", "--json"])
    told = json.loads(capsys.readouterr().err)
    assert code != 0
    assert "klingon" in json.dumps(told)
    assert main(["validate", str(config), "--header-rows", "9"]) != 0
    assert "header_rows" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_a_data_file_alone_will_do(tmp_path, capsys, name):
    file = tmp_path / name
    rows = [{"prompt": f"Say {n}.", "completion": f"It is {n}."} for n in range(5)]
    if name.endswith("csv"):
        file.write_text(
            "prompt,completion\n" + "".join("{prompt},{completion}\n".format(**r) for r in rows)
        )
    else:
        lines = [json.dumps(row) for row in rows]
        file.write_text("\n".join(lines) if name.endswith("l") else f"[{','.join(lines)}]")
    assert main(["validate", str(file), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["status"], facts["rows"], facts["in_the_model"]) == ("ready", 5, None)


def test_a_configuration_without_a_file_says_what_to_type(tmp_path, capsys):
    config = tmp_path / "run.yaml"
    config.write_text("model: {name: starter/chat}")
    assert main(["validate", str(config)]) != 0
    assert "validate data.jsonl" in capsys.readouterr().err
    assert main(["validate", str(tmp_path / "nothing.yaml")]) != 0
    assert "can't be read" in capsys.readouterr().err
