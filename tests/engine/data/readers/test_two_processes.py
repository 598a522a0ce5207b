"""Reading in a second process: the same rows and findings, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

import psutil
import pytest

from maxaillm.dev.finetune.data.reading.validate import validate
from maxaillm.dev.finetune.processes.pipeline import heard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="two processes are for Linux")
LINES = '{"prompt": "q%d", "completion": "a"}\n'
FILE = "".join(LINES % (i % 9_000) for i in range(25_000)) + "{oops\n" * 3


def told(path, *, in_two_processes):
    batches, findings, shares = [], [], []
    report = validate(
        path,
        on_batch=lambda batch: batches.append((list(batch.numbers), batch.examples)),
        on_finding=findings.append,
        on_progress=shares.append,
        in_two_processes=in_two_processes,
    )
    return report, batches, sorted(findings, key=str), shares


@pytest.fixture(autouse=True)
def no_child_stays():
    before = psutil.Process().children()
    yield
    assert psutil.Process().children() == before


def test_two_processes_tell_what_one_does(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(FILE)
    assert told(path, in_two_processes=True) == told(path, in_two_processes=False)


def fail(error, _tell):
    raise error


@pytest.mark.parametrize("error", [MemoryError("full"), OSError(28, "No space left on device")])
def test_what_goes_wrong_there_is_raised_here(error):
    with pytest.raises(type(error)):
        heard(partial(fail, error), print)


def test_a_listener_that_fails_ends_the_work():
    def chat(tell):
        while True:
            tell("more")

    def refuse(_value):
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        heard(chat, refuse)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGXCPU])
def test_both_end_by_the_same_signal(number):
    program = (
        "import os\n"
        "from maxaillm.dev.finetune.processes.pipeline import heard\n"
        f"heard(lambda tell: os.kill(os.getpid(), {int(number)}), print)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False)
    assert done.returncode == -number
