"""What a process says of its own memory."""

from __future__ import annotations

import subprocess
import sys

ASK = (
    "from maxaillm.dev.finetune.processes.resources import peak_rss_bytes; print(peak_rss_bytes())"
)
PARENT = f"""
import subprocess, sys
held = bytearray(400_000_000)
held[::4096] = bytes(len(held[::4096]))
print(subprocess.run([sys.executable, "-c", {ASK!r}], capture_output=True, text=True).stdout)
"""


def test_a_program_does_not_count_the_memory_of_who_started_it() -> None:
    """A run's figure would else be that of the worker, and a measurement that of its test."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, check=True
    )
    assert 1_000_000 < int(done.stdout) < 200_000_000
