"""A record lock is held exactly as long as its holder lives, however that one ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from maxaillm.dev.finetune.processes.record_lock import hold_record_lock, is_record_locked

HOLDS_AND_FORKS = """
import os, sys, time
from pathlib import Path
from maxaillm.dev.finetune.processes.record_lock import hold_record_lock

lock = hold_record_lock(Path(sys.argv[1]))
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""


def test_a_killed_holder_frees_it_though_its_fork_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDS_AND_FORKS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        fork = int(holder.stdout.readline())
        try:
            assert is_record_locked(path)
            holder.kill()
            holder.wait()
            assert not is_record_locked(path)
        finally:
            subprocess.run(["kill", "-KILL", str(fork)], check=True)  # it lived until here
    assert holder.returncode == -signal.SIGKILL


def test_a_process_can_take_it_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold_record_lock(path), hold_record_lock(path):
        pass
    assert not is_record_locked(path)
