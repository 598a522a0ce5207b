"""Imports of large libraries, at less cost."""

from __future__ import annotations

import ctypes
import gc
import importlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from maxaillm.dev.finetune.processes.parent_death import LIBC

MAPPED_FILE = re.compile(
    r"^([0-9a-f]+-[0-9a-f]+) (\S+) \S+ \S+ \d+ +/.*\n(?:[A-Z].*\n)*?Private_Dirty: +(\d+) kB",
    re.MULTILINE,
)
"""Addresses, rights and changed kilobytes of a file in memory."""
MADV_DONTNEED = 4


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection in this block: what imports make is kept, and to seek garbage in it
    again and again takes a quarter of their time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def import_ahead(names: Iterable[str]) -> None:
    """Import modules, and keep them out of garbage collections, which would copy their pages."""
    with uncollected():
        for name in names:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    unmap_code()


def unmap_code() -> None:
    """Let go of the libraries' code that the imports have gone through, a hundred megabytes of it:
    a fork does not inherit it, and what is used again comes from the system's cache. Linux only."""
    if LIBC is None:
        return
    for place, rights, dirty in MAPPED_FILE.findall(Path("/proc/self/smaps").read_text()):
        if rights == "r-xp" and dirty == "0":
            begin, end = (int(number, 16) for number in place.split("-"))
            LIBC.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), MADV_DONTNEED)
