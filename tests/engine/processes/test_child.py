"""Child processes: what they get, how they are ended with all that they started, and why."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from maxaillm.dev.finetune.processes.cause_of_death import (
    CauseOfDeath,
    cause_of_death,
    in_words,
)
from maxaillm.dev.finetune.processes.child import JsonChild, allowed_environment, json_child
from maxaillm.dev.finetune.processes.limits import Limits
from maxaillm.dev.finetune.processes.resources import memory_limit_bytes

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 60
LIMITS = Limits(memory_bytes=2**30, cpu_seconds=30)
BEGIN = """
import os, signal, subprocess, sys, time
from maxaillm.dev.finetune.processes.json_lines import emit, receive_task
task = receive_task()
"""
STARTS_ANOTHER = f"""{BEGIN}
emit("pids", [os.getpid(), subprocess.Popen(["sleep", "600"]).pid])
time.sleep(600)
"""
WAITS = f"{BEGIN}emit('pid', os.getpid()); time.sleep(600)"
PARENT = """
from tests.engine.processes.test_child import WAITS, started
with started(WAITS) as child:
    for _, pid in child.receive():
        print(pid, flush=True)
"""


@contextmanager
def started(
    program: str, task: object = None, seconds: float = PATIENCE_SECONDS, limits: Limits = LIMITS
) -> Iterator[JsonChild]:
    argv = [sys.executable, "-c", program]
    env = allowed_environment()
    with json_child(argv, env=env, cwd=ROOT, limits=limits, seconds=seconds) as child:
        child.send_task(task)
        yield child


def wait_until_gone(*pids: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while any(lives(pid) for pid in pids):
        assert time.monotonic() < end, pids
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_task_goes_there_and_lines_come_back() -> None:
    answer = 'emit("twice", [task, task]); emit("done", None); sys.stderr.buffer.write(b"h\\xff!")'
    with started(BEGIN + answer, {"a": "ä"}) as child:
        assert list(child.receive()) == [("twice", [{"a": "ä"}] * 2), ("done", None)]
    assert child.stderr == "h\N{REPLACEMENT CHARACTER}!"
    assert child.cause_of_death is CauseOfDeath.EXIT


def test_a_line_that_death_cut_off_is_left_out() -> None:
    cut_off = 'emit("whole", 1); sys.stdout.write(\'{"half":\'); sys.stdout.flush(); os._exit(0)'
    with started(BEGIN + cut_off) as child:
        assert list(child.receive()) == [("whole", 1)]


def test_only_listed_variables_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAXFT_SECRET_KEY", "HF_TOKEN", "LC_CTYPE", "PATHS"):
        monkeypatch.setenv(name, "value")
    with started(BEGIN + 'emit("names", list(os.environ))') as child:
        ((_, names),) = child.receive()
    assert {"PATH", "LC_CTYPE"} <= set(names)
    assert not {"MAXFT_SECRET_KEY", "HF_TOKEN", "PATHS"} & set(names)


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("while True: pass", CauseOfDeath.CPU_TIME),
        ("os.abort()", CauseOfDeath.MEMORY),
        ("os.kill(os.getpid(), signal.SIGKILL)", CauseOfDeath.KILLED),
        ("os.kill(os.getpid(), signal.SIGSEGV)", CauseOfDeath.SIGNAL),
        ("sys.exit(3)", CauseOfDeath.EXIT),
    ],
)
def test_its_death_has_a_cause(program: str, cause: CauseOfDeath) -> None:
    with started(BEGIN + program, limits=LIMITS._replace(cpu_seconds=1)) as child:
        assert list(child.receive()) == []
    assert child.cause_of_death is cause


def test_one_that_dies_before_it_has_read_its_task_is_no_mistake_of_ours() -> None:
    with started("import os; os._exit(3)", task="x" * 2**20) as child:
        assert list(child.receive()) == []
    assert child.cause_of_death is CauseOfDeath.EXIT


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3, "ended with code 3"),
        (-signal.SIGKILL, "was killed by SIGKILL"),
        (-40, "was killed by signal 40"),  # one of those without a name
    ],
)
def test_an_end_in_words(status: int, words: str) -> None:
    assert in_words(status) == words


def test_a_kill_of_one_that_held_most_of_the_memory_was_for_want_of_it() -> None:
    held = memory_limit_bytes()
    assert cause_of_death(-signal.SIGKILL, peak_bytes=held) is CauseOfDeath.MEMORY
    assert cause_of_death(-signal.SIGKILL, peak_bytes=held // 2) is CauseOfDeath.KILLED
    assert cause_of_death(-signal.SIGABRT, peak_bytes=held) is CauseOfDeath.SIGNAL


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit memory")
def test_memory_is_limited() -> None:
    program = """
try:
    bytes(2 * 2**30)
except MemoryError:
    emit("refused", True)
"""
    with started(BEGIN + program) as child:
        assert list(child.receive()) == [("refused", True)]


def test_a_block_that_raises_ends_it_with_all_that_it_started() -> None:
    pids: list[int] = []
    with pytest.raises(ValueError, match="enough"), started(STARTS_ANOTHER) as child:
        for _, found in child.receive():
            pids += found
            raise ValueError("enough")
    wait_until_gone(*pids)


def test_its_clock_ends_it_with_all_that_it_started() -> None:
    with started(STARTS_ANOTHER) as child:
        lines = child.receive()
        _, pids = next(lines)
        child.restart_clock(0.1)
        assert list(lines) == []
    assert child.cause_of_death is CauseOfDeath.KILLED
    wait_until_gone(*pids)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is Linux's")
def test_it_dies_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(child)
