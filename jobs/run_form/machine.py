"""This machine as the home page shows it: memory, disk, cores, GPUs. Never through torch."""

from __future__ import annotations

import csv
import shutil
import subprocess
import time
from functools import lru_cache
from typing import NamedTuple

import psutil
from django.conf import settings

GPU_QUERY = "name,memory.used,memory.total,utilization.gpu,temperature.gpu"
GPU_SECONDS = 2.0
REMEMBER_SECONDS = 5


class Gpu(NamedTuple):
    name: str
    used_bytes: int
    total_bytes: int
    busy: float
    """Share of the last second, 0 to 1."""
    celsius: int


class Machine(NamedTuple):
    memory_used: int
    memory_total: int
    disk_used: int
    disk_total: int
    cores: int
    busy: float
    """Share of all cores since the last look, 0 to 1."""
    gpus: list[Gpu]


def machine() -> Machine:
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(settings.DATA_DIR))
    return Machine(
        memory_used=memory.total - memory.available,
        memory_total=memory.total,
        disk_used=disk.used,
        disk_total=disk.used + disk.free,
        cores=psutil.cpu_count() or 1,
        busy=busy_at(int(time.monotonic()) // REMEMBER_SECONDS),
        gpus=gpus_at(int(time.monotonic()) // REMEMBER_SECONDS),
    )


@lru_cache(maxsize=1)
def busy_at(moment: int) -> float:
    """Measured once a moment for all viewers: two looks at once would divide by nothing."""
    return psutil.cpu_percent() / 100


psutil.cpu_percent()  # the first look has nothing to compare with and would say 0


@lru_cache(maxsize=1)
def gpus_at(moment: int) -> list[Gpu]:
    """The GPUs that the driver's own tool tells of; asked once a moment for all viewers."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, f"--query-gpu={GPU_QUERY}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []  # a driver that doesn't answer has nothing to show
    return read_gpus(answer.stdout)


def read_gpus(text: str) -> list[Gpu]:
    """The tool's lines; sizes in MiB, and words such as [N/A] where a card doesn't tell."""
    gpus = []
    for name, *fields in csv.reader(text.splitlines(), skipinitialspace=True):
        used, total, busy, celsius = (int(field) if field.isdecimal() else 0 for field in fields)
        gpus.append(Gpu(name, used * 2**20, total * 2**20, busy / 100, celsius))
    return gpus
