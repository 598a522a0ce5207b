"""What a process has of its machine: cores, memory it may use and has used, a folder for caches."""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

import psutil

STATUS = Path("/proc/self/status")
NAMING = {"model name", "cpu family", "model", "stepping", "CPU implementer", "CPU part"}


def usable_cores() -> int:
    """Cores this process may run on: fewer than the machine's where taskset or a container says
    so. macOS knows no such limits."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_limit_bytes() -> int:
    """What a process can use at most: the control group's limit, else the machine's memory."""
    total = psutil.virtual_memory().total
    with suppress(OSError, ValueError):
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def peak_rss_bytes(usage: resource.struct_rusage | None = None) -> int:
    """The most physical memory this process ever held, or what `usage` is of.

    Linux hands the peak of a parent down to the `ru_maxrss` of a program that it starts; the peak
    of the program's own memory is in its status.
    """
    status = STATUS.read_text() if usage is None and STATUS.is_file() else ""
    if own := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
        return int(own[1]) * 1024
    usage = usage or resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # bytes there, else KiB


def processor_name() -> str:
    """Model and stepping as Linux tells them; elsewhere what Python knows."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        return platform.processor()
    facts = (line.partition(":") for line in first.splitlines())
    return " ".join(value.strip() for name, _, value in facts if name.strip() in NAMING)


def cache_folder() -> Path:
    """Where files are kept that can be made again: MAXAILLM_CACHE, else the user's own cache."""
    given = os.environ.get("MAXAILLM_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "maxaillm"
