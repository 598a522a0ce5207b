"""What the machine has for a run: free memory, and how fast it multiplies."""

from __future__ import annotations

import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

import psutil

from maxaillm.dev.finetune.processes.resources import usable_cores


@cache
def flops_per_second() -> float:
    """This machine's rate of fp32 matrix products, the best of some that take milliseconds."""
    import numpy as np

    size = 768
    matrix = np.ones((size, size), np.float32)
    matrix @ matrix
    return max(2 * size**3 / seconds_of_product(matrix) for _ in range(5))


def seconds_of_product(matrix: object) -> float:
    began = time.perf_counter()
    matrix @ matrix  # type: ignore[operator]
    return time.perf_counter() - began


def has_gpu() -> bool:
    return bool(gpu_free_bytes())


def gpu_free_bytes() -> int:
    """Free memory of the first GPU; 0 without one."""
    return next(iter(free_bytes_of_gpus()), 0)


@cache
def free_bytes_of_gpus() -> tuple[int, ...]:
    """Free memory of each GPU as their driver's tool tells it; nothing without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    query = [tool, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    lines = done.stdout.split() if done.returncode == 0 else []
    return tuple(int(line) * 2**20 for line in lines)


def usable_devices() -> int:
    """How many processes can train one run together here: one a GPU, else one a core."""
    return len(free_bytes_of_gpus()) or usable_cores()


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
