"""What the machine has for a run: free memory, and how fast it multiplies."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil

from maxaillm.dev.finetune.processes.resources import processor_name, usable_cores

ROWS, WIDTHS, VALUES, CALLS, FRESH, TRIES = 256, (64, 128, 256, 512), 2**22, 1000, 2**24, 3
"""Of the measurement: rows and widths of matrices, values of an array, small operations, bytes of
fresh memory."""


class Speed(NamedTuple):
    """How fast this machine is at what training does, with as many threads as that has."""

    products: Mapping[int, float]
    """Width of a matrix -> operations a second in products of fp32 matrices."""
    values: float
    """Bytes a second, value by value."""
    call: float
    """Seconds to begin an operation."""
    fresh: float
    """Bytes a second that the system hands out to a process that touches them."""

    def of_products(self, width: int) -> float:
        """Operations a second in products as wide as a model: between widths by their logarithm."""
        import numpy as np

        widths = sorted(self.products)
        rates = [self.products[one] for one in widths]
        return float(np.interp(np.log(width), np.log(widths), rates))


@cache
def speed() -> Speed:
    """Measured in a tenth of a second; of several tries the best counts.

    One thread by the time that it ran itself, so that a busy machine gives the figures of a quiet
    one. Several spin while they wait for each other, so theirs is the time on the wall, and where
    that is no better, one thread counts.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    def product(width: int, clock: Clock) -> float:
        left, right = np.ones((ROWS, width), np.float32), np.ones((width, 4 * width), np.float32)
        return 8 * ROWS * width**2 / best(lambda: left @ right, clock)

    large, small = np.ones(VALUES, np.float32), np.ones(8, np.float32)
    with threadpool_limits(1):
        products = {width: product(width, time.thread_time) for width in WIDTHS}
    threads = int(os.environ.get("OMP_NUM_THREADS") or usable_cores())
    if threads > 1:
        with threadpool_limits(threads):
            together = {width: product(width, time.perf_counter) for width in WIDTHS}
        products = {width: max(rate, together[width]) for width, rate in products.items()}
    return Speed(
        products=products,
        values=8 * VALUES / best(lambda: np.multiply(large, 2.0, out=large)),
        call=best(lambda: [small + small for _ in range(CALLS)]) / CALLS,
        fresh=FRESH / best(touch_fresh),
    )


def touch_fresh() -> None:
    """Have memory from the system: it is given page by page, when each is touched."""
    import numpy as np

    with mmap.mmap(-1, FRESH, flags=PRIVATE) as memory:
        pages = np.frombuffer(memory, np.uint8)[:: mmap.PAGESIZE]
        pages[:] = 1
        del pages  # or the memory could not be given back


PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
"""As malloc asks for it."""
Clock = Callable[[], float]


def best(work: Callable[[], object], clock: Clock = time.thread_time) -> float:
    """Seconds of the quickest of some tries, the first not counted."""
    work()
    seconds = []
    for _ in range(TRIES):
        began = clock()
        work()
        seconds.append(clock() - began)
    return max(min(seconds), 1e-9)


@cache
def machine_name() -> str:
    """What tells machines of other speed apart: processor, cores, GPU."""
    return f"{processor_name()} x {psutil.cpu_count()}{gpu_name() and ' + '}{gpu_name()}"


def has_gpu() -> bool:
    return bool(gpu_free_bytes())


def gpu_free_bytes() -> int:
    """Free memory of the first GPU; 0 without one."""
    free = next(iter(facts_of_gpus("memory.free")), "")
    return int(free) * 2**20 if free.isdecimal() else 0


def gpu_name() -> str:
    """The first GPU's; empty without one."""
    return next(iter(facts_of_gpus("name")), "")


@cache
def facts_of_gpus(name: str) -> tuple[str, ...]:
    """What the driver's tool tells of each GPU; nothing without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, f"--query-gpu={name}", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return tuple(line.strip() for line in lines)


def usable_devices() -> int:
    """How many processes can train one run together here: one a GPU, else one a core."""
    return len(facts_of_gpus("name")) or usable_cores()


def available_bytes() -> int:
    """Memory that a run may use now: the GPU's, else the machine's within its control group."""
    if has_gpu():
        return gpu_free_bytes()
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
    except OSError:
        return free
    return free if limit.strip() == "max" else min(free, int(limit) - int(used))
