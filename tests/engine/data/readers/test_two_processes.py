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
from maxaillm.dev.finetune.processes.pipeline import run_in_child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="two processes are for Linux")
LINES = '{"prompt": "q%d", "completion": "a"}\n'
FILE = "".join(LINES % (i % 9_000) for i in range(25_000)) + "{oops\n" * 3


def found(path, *, in_two_processes):
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


def test_two_processes_find_what_one_does(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(FILE)
    assert found(path, in_two_processes=True) == found(path, in_two_processes=False)


def fail(error, _send):
    raise error


@pytest.mark.parametrize("error", [MemoryError("full"), OSError(28, "No space left on device")])
def test_what_goes_wrong_there_is_raised_here(error):
    with pytest.raises(type(error)):
        run_in_child(partial(fail, error), print)


def test_a_receiver_that_fails_ends_the_work():
    def work(send):
        while True:
            send("more")

    def refuse(_value):
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        run_in_child(work, refuse)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGXCPU])
def test_both_end_by_the_same_signal(number):
    program = (
        "import os\n"
        "from maxaillm.dev.finetune.processes.pipeline import run_in_child\n"
        f"run_in_child(lambda send: os.kill(os.getpid(), {int(number)}), print)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False)
    assert done.returncode == -number
