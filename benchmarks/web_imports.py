"""What a web process costs before its first request: seconds and memory of its imports.

Run: python -m benchmarks.web_imports
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

WEB = "import maxft_site.asgi"
ENGINE = "import torch, transformers, peft, datasets, transformers.trainer"
MEASURE = """
import time
began = time.perf_counter()
{code}
seconds = time.perf_counter() - began
from maxaillm.dev.finetune.processes.resources import peak_rss_bytes
print(seconds, peak_rss_bytes() / 2**20)
"""
TARGET_SECONDS, TARGET_MEGABYTES, TRIES = 0.5, 80, 7


def measure(code: str, tries: int) -> tuple[float, float]:
    """Median seconds and megabytes of fresh processes that run `code`; the first warms the disk."""
    runs = []
    for _ in range(tries + 1):
        command = [sys.executable, "-c", MEASURE.format(code=code)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append([float(value) for value in done.stdout.split()])
    seconds, megabytes = zip(*runs[1:], strict=True)
    return statistics.median(seconds), statistics.median(megabytes)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "maxft_site.settings")
    web, engine = measure(WEB, TRIES), measure(ENGINE, 3)
    print(f"target       {TARGET_SECONDS} s     {TARGET_MEGABYTES} MB")
    print(f"web process  {web[0]:.2f} s  {web[1]:.0f} MB")
    print(f"engine       {engine[0]:.2f} s  {engine[1]:.0f} MB")
    print(f"ratio        {engine[0] / web[0]:.0f} x  {engine[1] / web[1]:.1f} x")
    print(f"conditions: median of {TRIES} fresh processes, warm disk, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
