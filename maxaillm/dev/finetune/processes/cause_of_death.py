"""Cause of death of a child process: processor time, memory, a kill, another signal, its code."""

from __future__ import annotations

import signal
from enum import Enum, auto

from maxaillm.dev.finetune.processes.resources import memory_limit_bytes

MUCH_MEMORY = 0.8
"""The share of all memory from which on the system's kill is taken for one for want of memory."""


class CauseOfDeath(Enum):
    """Why a process is no more."""

    CPU_TIME = auto()
    """It used up its limit of processor time."""
    MEMORY = auto()
    """It was refused memory, or killed while it held most of the machine's."""
    KILLED = auto()
    """From outside: by the system, where others need the memory, by a clock, by a person."""
    SIGNAL = auto()
    """Another signal, such as SIGSEGV."""
    EXIT = auto()
    """None: it ended by itself, with a code."""


def cause_of_death(
    status: int, *, has_memory_limit: bool = False, peak_bytes: int = 0
) -> CauseOfDeath:
    """The cause behind a status as `subprocess` gives it: negative for a signal.

    `peak_bytes` is the most memory that the process and its children were seen to hold.
    """
    if status == -signal.SIGXCPU:
        return CauseOfDeath.CPU_TIME
    if status == -signal.SIGABRT and has_memory_limit:
        return CauseOfDeath.MEMORY  # compiled code aborts where memory is refused
    if status == -signal.SIGKILL:
        held_most = peak_bytes > MUCH_MEMORY * memory_limit_bytes()
        return CauseOfDeath.MEMORY if held_most else CauseOfDeath.KILLED
    return CauseOfDeath.SIGNAL if status < 0 else CauseOfDeath.EXIT


def in_words(status: int) -> str:
    """What follows on "the process": "was killed by SIGKILL", "ended with code 3"."""
    if status >= 0:
        return f"ended with code {status}"
    names = {number.value: number.name for number in signal.Signals}
    return f"was killed by {names.get(-status, f'signal {-status}')}"
