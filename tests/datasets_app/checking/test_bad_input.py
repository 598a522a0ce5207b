"""Hostile and broken files: a sentence for each, nothing half-stored, the site's memory flat."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User
from django.test import Client

from datasets_app.models import Dataset, DatasetVersion
from datasets_app.services import import_dataset, sweep_uploads
from datasets_app.tasks import check_version
from tests.datasets_app.conftest import Importer

GOOD = '{"prompt": "q", "completion": "a"}\n'
REFUSED = {
    "empty": ("", "a.csv", "The file is empty."),
    "blanks only": (" \n\n ", "a.csv", "The file is empty."),
    "header only": ("text,label\n", "a.csv", "has a header but no rows"),
    "a PNG called .csv": (b"\x89PNG\r\n\x1a\n" + bytes(200), "a.csv", "a PNG image"),
    "bytes": (bytes(range(256)) * 20, "a.csv", "not text"),
    "truncated JSON": ('[{"prompt": "q", "completion": "a"}, {"prom', "a.json", "ends inside"),
    "brackets": ("[" * 100_000, "a.json", "64"),
    "brackets closed": ("[" * 100_000 + "]" * 100_000, "a.json", "64"),
    "a web page": ("<!DOCTYPE html><html><body>no</body></html>", "a.csv", "a web page"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_no_data_is_refused_with_a_sentence(case: str, upload: Importer) -> None:
    content, name, sentence = REFUSED[case]
    version = upload(content, name)
    assert version.status == "invalid"
    assert sentence in version.error["message"]
    assert version.error["hint"]
    assert (version.rows, version.bad_rows) == (0, 0)
    assert {path.name for path in version.root.iterdir()} <= {"source", "check.lock", "check-1"}


def table(*lines: str) -> str:
    return (
        "text,label\n" + "".join(f"good {i},yes\nbad {i},no\n" for i in range(9)) + "\n".join(lines)
    )


ROWS_NAMED = {
    "ragged": (table("one", "a,b,c,d", "fine,yes"), "a.csv", {"wrong_width"}, 19, 2),
    "NUL": (
        GOOD * 2 + '{"prompt": "a\\u0000b", "completion": "c"}',
        "a.jsonl",
        {"nul_removed"},
        3,
        0,
    ),
    "a line of garbage": (GOOD * 3 + "{oops\n" + GOOD, "a.jsonl", {"duplicate"}, 4, 1),
    "not UTF-8": ("text,label\n" + "caf\u00e9 \u2019n,yes\nbar,no\n" * 5, "a.csv", set(), 10, 0),
}


@pytest.mark.parametrize("case", ROWS_NAMED)
def test_bad_rows_are_named_and_the_others_kept(case: str, upload: Importer) -> None:
    content, name, codes, rows, bad_rows = ROWS_NAMED[case]
    data = content.encode("cp1252") if case == "not UTF-8" else content.encode()
    version = upload(data, name)
    assert (version.status, version.rows, version.bad_rows) == ("ready", rows, bad_rows)
    assert codes <= set(version.facts["findings"])
    bad = version.findings.filter(level="bad")
    assert bad.count() == bad_rows
    assert all(finding.row and finding.line and finding.message for finding in bad)
    if case == "not UTF-8":
        assert version.encoding == "Windows-1252"


def test_a_header_with_one_name_twice_keeps_both_columns(upload: Importer) -> None:
    version = upload("text,label,text\n" + "a,x,b\nc,y,d\n" * 4, "a.csv")
    assert version.columns == ["text", "label", "text_2"]
    assert version.facts["findings"]["duplicate_column"] == 1


def test_a_cell_of_two_megabytes_is_shortened_on_the_page(
    upload: Importer, alice_client: Client
) -> None:
    long = json.dumps({"prompt": "p", "completion": "x" * 2_000_000})
    version = upload(GOOD + long + "\n" + GOOD.replace("q", "r"), "a.jsonl")
    assert version.rows == 3
    assert version.findings.filter(code="long_row", row=2).exists()
    url = version.dataset.get_absolute_url()
    for page in (url, f"{url}?as=raw", f"/api/v1/datasets/{version.dataset_id}/rows"):
        response = alice_client.get(page)
        assert len(response.content) < 100_000
        assert b"2,000,000 characters" in response.content


def test_one_line_of_200_megabytes_costs_the_site_no_memory(alice: User, tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("w") as file:
        file.write('{"prompt": "')
        for _ in range(200):
            file.write("x" * 2**20)
        file.write('", "completion": "a"}\n' + GOOD)
    before = psutil.Process().memory_info().rss
    version = import_dataset(owner=alice, name="", file_name="long.jsonl", path=path)
    check_version(version.pk, 1)
    assert psutil.Process().memory_info().rss - before < 50 * 2**20
    version.refresh_from_db()
    assert (version.status, version.rows, version.bad_rows) == ("ready", 1, 1)
    assert version.findings.get(level="bad").row == 1


NAMES = [
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "x" * 300 + ".jsonl",
    "a\x00b\x1b[31mred\n.jsonl",
    "\u202egnp.exe.jsonl",
    "<script>window.__pwned=1</script>.jsonl",
    "$(touch pwned).jsonl",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_for_display_only(name: str, upload: Importer, data_dir: Path) -> None:
    version = upload(GOOD, name)
    assert version.status == "ready"
    assert 0 < len(version.file_name) <= 300
    assert 0 < len(version.dataset.name) <= 120
    assert not set("\x00\x1b\n\u202e") & set(version.file_name + version.dataset.name)
    stored = {path.relative_to(data_dir).parts[1] for path in data_dir.glob("datasets/*/*")}
    assert stored == {str(version.folder), "blobs"}


def test_markup_in_rows_findings_and_names_is_text(upload: Importer, alice_client: Client) -> None:
    payload = "<img src=x onerror=window.__pwned=1>"
    rows = [{"prompt": payload, "completion": f"{payload}{{{{7*7}}}}"}, {"prompt": payload}]
    version = upload("\n".join(map(json.dumps, rows)), f"{payload}.jsonl")
    url = version.dataset.get_absolute_url()
    for page in (url, f"{url}?as=raw", f"{url}findings/", f"{url}versions/", "/datasets/"):
        body = alice_client.get(page).content.decode()
        assert "<img src=x" not in body
        assert "&lt;img src=x" in body
    assert "{{7*7}}" in alice_client.get(url).content.decode()


def test_a_failed_import_leaves_nothing(
    alice: User, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(GOOD)

    def fail(**_: object) -> DatasetVersion:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(DatasetVersion.objects, "create", fail)
    with pytest.raises(RuntimeError):
        import_dataset(owner=alice, name="", file_name="a.jsonl", path=path)
    assert not Dataset.objects.exists()
    (blob,) = (data_dir / "datasets").glob("**/*/*/*")
    assert [folder.name for folder in (data_dir / "datasets").iterdir()] == ["blobs"]
    assert sweep_uploads() == 0  # it may belong to an import that is under way
    os.utime(blob, (0, 0))
    assert sweep_uploads() == 1
    assert not blob.exists()
