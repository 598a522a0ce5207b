"""A million rows: checked, leafed through, searched; beside `datasets` and pandas.

Run: python -m benchmarks.dataset_check [rows]

The check is the site's own child process: it recognises the format, looks at every row, runs all
quality checks and stores rows and findings. The peers only read the file.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import IO, NamedTuple

import psutil

from maxaillm.dev.finetune.processes.json_lines import send_task
from maxaillm.dev.finetune.processes.limits import Limits

ROWS = 1_000_000
COMMAND = [sys.executable, "-m", "datasets_app.checking.child"]
LIMITS = Limits(memory_bytes=2 * 2**30, cpu_seconds=3600)
TARGETS = "30 s and 600 MB; a page 100 ms; a search 1 s"
DATASETS = """
import sys
from datasets import load_dataset
print(len(load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])))
"""
PANDAS = """
import sys
import pandas
print(len(pandas.read_json(sys.argv[1], lines=True)))
"""


class Figures(NamedTuple):
    seconds: float
    cpu_seconds: float
    peak_mb: float
    said: str


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_rows(folder / "rows.jsonl", rows)
        print(f"{rows:,} rows, {file.stat().st_size / 1e6:,.0f} MB of JSON Lines")
        task = task_for(file, folder)
        ours = measure(COMMAND, lambda stdin: send_task(stdin, task, LIMITS))
        last = json.loads(ours.said.splitlines()[-1])
        assert last["report"]["rows"] == rows, last
        tell("our check", ours, ours)
        print(f"  findings: {last['report']['facts']['findings']}")
        tell("datasets", measure([sys.executable, "-c", DATASETS, str(file), name]), ours)
        tell("pandas", measure([sys.executable, "-c", PANDAS, str(file)]), ours)
        look_at(folder / "made" / "rows", rows)
    print(f"  targets: {TARGETS}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def write_rows(path: Path, rows: int) -> Path:
    """Questions and answers of random words, about 208 bytes a row."""
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(20_000)]
    with path.open("w") as file:
        for _ in range(rows):
            question, answer = (" ".join(draw.choices(words, k=count)) for count in (9, 16))
            row = {"instruction": question, "input": "", "output": answer}
            file.write(json.dumps(row) + "\n")
    return path


def task_for(file: Path, folder: Path) -> dict[str, object]:
    return {
        "parts": [{"path": str(file)}],
        "recipe": None,
        "locked": [],
        "file_name": file.name,
        "format": None,
        "folder": str(folder / "made"),
    }


def measure(command: Sequence[str], send: Callable[[IO[str]], object] = lambda _: None) -> Figures:
    begin = perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, text=True)
        assert child.stdin
        send(child.stdin)
        child.stdin.close()
        peak = cpu = 0.0
        process = psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, sum(memory_of(each) for each in family(process)))
            cpu = max(cpu, sum(cpu_of(each) for each in family(process)))
            try:
                child.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        said.seek(0)
        return Figures(perf_counter() - begin, cpu, peak / 1e6, said.read())


def family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children()]
    except psutil.NoSuchProcess:
        return []


def memory_of(process: psutil.Process) -> float:
    """Bytes of its own; what a fork shares with its parent counts at each by its part."""
    try:
        return float(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0
    return float(times.user + times.system)


def tell(name: str, figures: Figures, ours: Figures) -> None:
    print(
        f"  {name:10} {figures.seconds:6.1f} s  {figures.cpu_seconds:6.1f} s of processor time  "
        f"{figures.peak_mb:6,.0f} MB; ours takes {ours.seconds / figures.seconds:.2f} x as long",
        flush=True,
    )


def look_at(path: Path, rows: int) -> None:
    from maxaillm.dev.finetune.data.store.query import RowQuery
    from maxaillm.dev.finetune.data.store.store import RowStore

    list(RowStore(path).page(0, 10))  # the first also loads the library
    begin = perf_counter()
    list(RowStore(path).page(min(100_000, rows - 10), 10))
    print(f"  page 10,000 of ten rows: {1000 * (perf_counter() - begin):.0f} ms")
    begin = perf_counter()
    found = RowStore(path).find(RowQuery(words="zqx"))
    print(f"  search: {len(found):,} rows in {perf_counter() - begin:.2f} s")


if __name__ == "__main__":
    main()
