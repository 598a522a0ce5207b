"""What a site costs that nobody uses: memory of all its processes (PSS), processor time of a start.

Run: python -m benchmarks.idle_memory

PSS (proportional set size) counts a page that n processes share as 1/n in each, so that the sum is
what the site really holds. Linux only.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.site_process import running_site

TARGET_MEGABYTES = 700
QUIET_SECONDS, QUIET_SHARE = 10.0, 0.05
"""The start is over once the processes take less than this share of a core for so long."""


class Cost(NamedTuple):
    """Of one process."""

    name: str
    megabytes: float
    cpu_seconds: float
    """With those of its children that have ended."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "site"
        data.mkdir()
        began = time.monotonic()
        with running_site(data) as site:
            seconds = time.monotonic() - began
            root = psutil.Process(site.process.pid)
            wait_until_quiet(root)
            costs = [cost_of(process) for process in tree(root)]
    for cost in costs:
        print(f"{cost.megabytes:8.0f} MB  {cost.cpu_seconds:6.1f} s  {cost.name}")
    megabytes, cpu = (sum(column) for column in list(zip(*costs, strict=True))[1:])
    print(f"{megabytes:8.0f} MB  {cpu:6.1f} s  in {len(costs)} processes")
    print(f"target {TARGET_MEGABYTES} MB; address shown after {seconds:.1f} s by the clock")
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"conditions: fresh data directory, {load}")


def tree(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


def wait_until_quiet(root: psutil.Process) -> None:
    before = cpu_seconds(root)
    while True:
        time.sleep(QUIET_SECONDS)
        now = cpu_seconds(root)
        if now - before < QUIET_SHARE * QUIET_SECONDS:
            return
        before = now


def cpu_seconds(root: psutil.Process) -> float:
    return sum(sum(process.cpu_times()[:4]) for process in tree(root))


def cost_of(process: psutil.Process) -> Cost:
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    pss = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert pss is not None
    name = " ".join(process.cmdline())[-60:]
    return Cost(name, int(pss[1]) / 1024, sum(process.cpu_times()[:4]))


if __name__ == "__main__":
    main()
