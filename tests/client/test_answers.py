"""What the client makes of answers that a site should not give, and of sites that are none."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxft_client.site import credentials
from maxft_client.terminal.text import STEERING, one_line, plain
from tests.client.conftest import Maxft, Scripted, hangs_up, says

NO_RUNS = says({"items": [], "total": 0})
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202ename\x9b31m\r\x08"


def chunk(content: str) -> str:
    return f"data: {json.dumps({'choices': [{'delta': {'content': content}}]})}\n\n"


def test_a_web_page_is_no_answer(maxft: Maxft, scripted: Scripted) -> None:
    for page in (says("<html>Sign in</html>", kind="text/html"), says([1, 2]), says("", kind="x")):
        scripted.answers = [page]
        done = maxft("runs", "list")
        assert done.code == 5
        assert "where JSON was expected" in done.err
        assert "<html>" not in done.err
    scripted.answers = [says("<h1>Not Found</h1>", 404, "text/html")]
    assert maxft("runs", "show", "1").code == 4
    scripted.answers = [says("<h1>Bad Gateway</h1>", 500, "text/html")]
    assert "answered 500 to GET /api/v1/queue" in maxft("queue").err


def test_a_busy_site_is_asked_again_when_it_says_so(
    maxft: Maxft, scripted: Scripted, waited: list[float]
) -> None:
    full = {"error": {"code": "too_many", "message": "20 runs wait.", "hint": "Wait."}}
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    scripted.answers = [
        says(full, 429, Retry_After="7"),
        says(full, 503, Retry_After=soon),
        NO_RUNS,
    ]
    assert maxft("runs", "list", "--json").json == {"items": [], "total": 0}
    assert waited[0] == 7
    assert 50 < waited[1] <= 60
    waited.clear()
    for answer in (says(full, 429), says(full, 429, Retry_After="86400")):
        scripted.answers = [answer]
        done = maxft("runs", "list", "--json")
        assert (done.code, done.out) == (5, "")
        assert json.loads(done.err) == full
    assert waited == []


def test_a_cut_request_is_repeated_only_where_that_makes_one_thing(
    maxft: Maxft, scripted: Scripted, waited: list[float], home: Path
) -> None:
    (home / "run.yaml").write_text("model: {name: starter/chat}")
    scripted.answers = [hangs_up, says("", 502), says({"errors": []}, 422)]
    assert maxft("runs", "start", "run.yaml").code == 2
    keys = [headers["idempotency-key"] for _, _, headers in scripted.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    scripted.asked.clear()
    run = says({"id": 4})
    scripted.answers = [run, hangs_up]
    assert maxft("runs", "pause", "4").code == 5
    assert [path for _, path, _ in scripted.asked] == ["/api/v1/runs/4", "/api/v1/runs/4/pause"]
    scripted.answers = [hangs_up]
    scripted.asked.clear()
    assert maxft("runs", "list").code == 5
    assert len(scripted.asked) == 5


def test_the_key_goes_nowhere_else(
    maxft: Maxft, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.answers = [says("", 302, Location="http://192.0.2.1/")]
    done = maxft("whoami")
    assert done.code == 5
    assert "sends on to http://192.0.2.1/" in done.err
    monkeypatch.delenv("MAXFT_TOKEN")
    credentials.keep(credentials.Credentials("https://other.example", "mft_other"))
    asked = len(scripted.asked)
    assert maxft("whoami").code == 3
    assert len(scripted.asked) == asked


def test_keys_are_kept_for_their_user_alone(
    maxft: Maxft, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAXFT_URL")
    monkeypatch.delenv("MAXFT_TOKEN")
    scripted.answers = [says({"username": "ann", "version": "1"})]
    monkeypatch.setattr(sys, "stdin", StringIO("mft_key\n"))
    done = maxft("login", scripted.url)
    assert (done.code, done.out) == (0, f"Signed in to {scripted.url} as ann.\n")
    path = credentials.config_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert maxft("whoami", "--json").json["username"] == "ann"
    assert scripted.asked[-1][2]["authorization"] == "Bearer mft_key"
    for text in ("ftp://x", "https://", "https://ann:pw@x", "https://x/?a=b"):
        assert maxft("login", text).code == 1
    scripted.answers = [says({"error": {"message": "No."}}, 401)]
    monkeypatch.setattr(sys, "stdin", StringIO("mft_wrong\n"))
    assert maxft("login", scripted.url).code == 3
    assert "mft_key" in path.read_text()
    assert maxft("logout").code == 0
    assert "mft_key" not in path.read_text()
    assert maxft("whoami").code == 3
    path.write_text("{")
    assert maxft("whoami").code == 7


def test_nothing_of_others_steers_the_terminal(maxft: Maxft, scripted: Scripted) -> None:
    model = {
        "id": 1, "name": HOSTILE, "kind": "full", "run": None, "parameters": 1, "size_bytes": 1,
        "created": HOSTILE,
    }  # fmt: skip
    scripted.answers = [says({"items": [model], "total": 1})]
    done = maxft("models", "list")
    assert done.code == 0
    assert "owned" in done.out
    assert not STEERING.search(done.out)
    found = maxft("models", "list", "--json")
    assert found.out.isascii()
    assert found.json["items"] == [model]
    scripted.answers = [says({"error": {"message": HOSTILE, "hint": HOSTILE}}, 400)]
    assert not STEERING.search(maxft("queue").err)
    answer = chunk(HOSTILE) + chunk("fine\n") + "data: [DONE]\n\n"
    scripted.answers = [says(answer, kind="text/event-stream")]
    done = maxft("chat", "tuned", "Hello")
    assert done.out.endswith("fine\n\n")
    assert not STEERING.search(done.out)


@given(st.text())
def test_plain_text_holds_no_control_characters(text: str) -> None:
    assert not STEERING.search(plain(text))
    assert "\n" not in one_line(text)
    plain(text).encode()


def test_an_answer_that_breaks_off_is_no_answer(maxft: Maxft, scripted: Scripted) -> None:
    error = 'data: {"error": {"message": "The model is gone."}}\n\n'
    for body, code, words in (
        (chunk("Half"), 5, "broke off"),
        (chunk("Half") + "data: {oops\n\n", 5, "broke off"),
        (chunk("Half") + error, 6, "The model is gone."),
    ):
        scripted.answers = [says(body, kind="text/event-stream")]
        done = maxft("chat", "tuned", "Hello", "--json")
        assert (done.code, done.out) == (code, "")
        assert words in done.err


def test_configurations_are_read_before_anything_is_asked(
    maxft: Maxft, scripted: Scripted, home: Path
) -> None:
    file = home / "run.yaml"
    for text, words in (
        ("a: [", "is no YAML"), ("- 1", "holds no options"), ("training: 3", "is no section"),
    ):  # fmt: skip
        file.write_text(text)
        done = maxft("runs", "start", "run.yaml", "training.seed=1")
        assert done.code == 2
        assert words in done.err
    assert maxft("runs", "start", "nothing.yaml").code == 2
    assert scripted.asked == []


CHECK = """
import runpy, sys, time
sys.argv = ["maxft", *{argv}]
try:
    runpy.run_module("maxft_site", run_name="__main__")
except SystemExit:
    pass
print(*sys.modules)
"""


@pytest.mark.parametrize("argv", [["--help"], ["runs", "list"]])
def test_neither_engine_nor_django_is_imported(argv: list[str]) -> None:
    root = Path(__file__).resolve().parents[2]
    code = CHECK.format(argv=argv)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.splitlines()[-1].split())
    assert "maxft_client" in modules
    assert not {"torch", "django", "transformers", "pydantic", "maxaillm.dev"} & modules
