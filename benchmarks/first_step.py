"""Process start to the first optimizer step, and peak memory, of the `train` command.

Run: python -m benchmarks.first_step [lora|full]

Beside it a plain script with the padded Trainer, and LLaMA-Factory where there is one; steps and
batches are those of `training_throughput`, so that what comes before them is the difference.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.training.clock import Figures
from benchmarks.training.ours import settings
from benchmarks.training.side import SIDES, THREADS, lacking, measure
from benchmarks.training.works import WORKS, make_model
from maxaillm.dev.finetune.processes.resources import peak_rss_bytes
from maxaillm.dev.finetune.run.events import read_journal


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "lora"
    work = WORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        make_model(work.task, Path(folder))
        found = {"train command": by_command(name, Path(folder))}
        for side in SIDES:
            if side != "ours" and lacking(side, name) is None:
                found[side] = measure(side, name, Path(folder))
    for side, figures in found.items():
        print(f"{side:14} {figures['first_step']:6.1f} s  peak {figures['peak_mb']:6,.0f} MB")
    print(f"conditions: {work.says}, {THREADS} threads, load {os.getloadavg()[0]:.1f}")


def by_command(name: str, folder: Path) -> Figures:
    config = folder / "run.json"
    config.write_text(json.dumps(settings(WORKS[name], folder)))
    target = folder / "command"
    command = [sys.executable, "-m", "maxaillm.dev.finetune", "train", str(config)]
    environment = {**os.environ, "OMP_NUM_THREADS": THREADS}
    began = time.time()
    subprocess.run(
        [*command, "--folder", str(target), "--json"],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    first = next(event for event in read_journal(target / "events.jsonl") if event.kind == "log")
    peak = peak_rss_bytes(resource.getrusage(resource.RUSAGE_CHILDREN)) / 2**20
    return {"first_step": first.time - began, "peak_mb": peak}


if __name__ == "__main__":
    main()
