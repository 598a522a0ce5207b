"""From a file to an answer of the tuned model, by `maxft` alone, as from another machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from maxft_client.terminal.text import STEERING

pytestmark = pytest.mark.faults


class Shell:
    """A machine with the package, whose user has signed in to the site."""

    def __init__(self, maxft: Path, home: Path, environment: dict[str, str]) -> None:
        self.maxft, self.home, self.env = str(maxft), home, environment

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.maxft, *argv], cwd=self.home, env=self.env, input=stdin, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    def out(self, *argv: str, stdin: str = "") -> str:
        done = self.run(*argv, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not STEERING.search(done.stdout + done.stderr)
        return done.stdout

    def json(self, *argv: str) -> object:
        return json.loads(self.out(*argv, "--json"))


@pytest.fixture(scope="module")
def shell(installed, site, tmp_path_factory):
    home = tmp_path_factory.mktemp("elsewhere")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAXFT_")}
    env |= {"HOME": str(home), "XDG_CONFIG_HOME": f"{home}/conf", "XDG_STATE_HOME": f"{home}/state"}
    shell = Shell(installed.bin / "maxft", home, env)
    key = site.manage("create_token", "remote")
    assert "as remote" in shell.out("login", site.url, stdin=f"{key}\n")
    return shell


def test_from_file_to_answer(shell, site):
    rows = [{"prompt": f"What is thing {n}?", "completion": f"It is {n}."} for n in range(60)]
    (shell.home / "things.jsonl").write_text("\n".join([*map(json.dumps, rows), "{oops"]))
    pushed = shell.json("datasets", "push", "things.jsonl", "--name", "Things")
    assert (pushed["status"], pushed["rows"], pushed["bad_rows"]) == ("ready", 60, 1)
    assert pushed["first_findings"][0]["line"] == 61
    assert "not_json" in shell.out("datasets", "check", "Things")

    (shell.home / "run.yaml").write_text(
        "model: {name: starter/chat}\ndata: {max_length: 64}\n"
        "training: {max_steps: 8, eval_steps: 4, save_steps: 4}\n"
    )
    start = ("runs", "start", "run.yaml", "--dataset", "Things", "--follow")
    told = shell.out(*start, "--name", "first")
    steps = re.findall(r"  log +step (\d+) ", told)
    assert steps == [str(n) for n in range(1, 9)]
    assert f"{site.url}/runs/" in told.splitlines()[-1]
    lines = shell.out(*start, "training.learning_rate=1e-4", "--name", "second", "--json")
    *events, run = map(json.loads, lines.splitlines())
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (run["status"], run["step"]) == ("succeeded", 8)
    assert run["config"]["training"]["learning_rate"] == 1e-4

    assert "succeeded" in shell.out("logs", "first", "--follow").splitlines()[-1]
    compared = shell.json("compare", "first", "second")
    assert [found["name"] for found in compared["runs"]] == ["first", "second"]
    assert "Learning rate" in shell.out("compare", "first", "second")
    listed = shell.json("runs", "list", "--query", "lr>1e-5", "--status", "succeeded")
    assert "second" in [found["name"] for found in listed["items"]]
    assert shell.json("queue")["lanes"]

    answer = shell.json("chat", "first", "What is thing 3?", "--max-tokens", "8")
    assert answer["usage"]["completion_tokens"] > 0
    assert shell.out("chat", "first", "--max-tokens", "8", stdin="What is thing 3?")
    shell.out("export", "first", "--kind", "adapter", "--output", "first.zip")
    with zipfile.ZipFile(shell.home / "first.zip") as archive:
        assert "adapter_model.safetensors" in archive.namelist()


def test_exit_codes_tell_scripts_what_happened(shell):
    refused = shell.run("runs", "start", "run.yaml", "training.learning_rte=1", "tuning.r=0")
    assert refused.returncode == 2
    assert {"training.learning_rte", "tuning.r"} <= set(re.findall(r"[\w.]+", refused.stderr))
    assert shell.run("runs", "show", "nobody-has-it").returncode == 4
    paused = shell.run("runs", "pause", "first", "--json")
    assert (paused.returncode, paused.stdout) == (1, "")
    assert json.loads(paused.stderr)["error"]["hint"]


def test_shells_complete_commands(shell):
    for name in ("bash", "zsh", "fish"):
        assert "_MAXFT_COMPLETE" in shell.out("completion", name)
    asked = {"_MAXFT_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    for words, known in (("maxft t", "plain,train"), ("maxft wh", "plain,whoami")):
        env = {**shell.env, **asked, "COMP_WORDS": words}
        assert known in Shell(Path(shell.maxft), shell.home, env).out().splitlines()
