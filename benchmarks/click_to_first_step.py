"""From the click to the first optimizer step: warm child against a fresh process, same run.

Run: python -m benchmarks.click_to_first_step
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import sleep, time

from maxaillm.dev.finetune.run.events import RunFolder, read_journal
from maxaillm.starter import SAMPLE
from tests.e2e.api_client import ApiClient
from tests.site_process import Site, running_site

TARGET_SECONDS, TRIES = 2.0, 5
STEPS = 3


def first_step_time(client: ApiClient, run: int) -> float:
    client.run_until(run, "succeeded")
    return float(client.events(run, "log")[0]["time"])


def warm_seconds(site: Site, client: ApiClient) -> tuple[list[float], dict[str, object]]:
    """Seconds from the request that starts a run to its first step, by the machine's clock."""
    dataset = client.upload(Path(SAMPLE), "Benchmark")
    config: dict[str, object] = {
        "model": {"name": "starter/chat"},
        "data": {"dataset": dataset["id"]},
        "training": {"max_steps": STEPS},
    }
    sleep(15)  # the warm child gets its imports done, as it would while a person fills in the form
    seconds = []
    for _ in range(TRIES):
        clicked = time()
        run = client.start(config)["id"]
        seconds.append(first_step_time(client, run) - clicked)
    return seconds, config


def fresh_seconds(config: dict[str, object], folder: Path) -> list[float]:
    """The same run as a command in a new process."""
    config = config | {"data": {"train_file": str(SAMPLE)}}
    file = folder / "run.json"
    file.write_text(json.dumps(config))
    seconds = []
    for number in range(TRIES):
        attempt = folder / str(number)
        command = [sys.executable, "-m", "maxaillm.dev.finetune", "train", str(file)]
        started = time()
        subprocess.run([*command, "--folder", str(attempt)], check=True, stdout=subprocess.DEVNULL)
        events = read_journal(RunFolder(attempt).journal)
        seconds.append(next(event.time for event in events if event.kind == "log") - started)
    return seconds


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        with running_site(folder / "site") as site:
            client = ApiClient(site.url, site.manage("create_token", "benchmark"))
            warm, config = warm_seconds(site, client)
        fresh = fresh_seconds(config, folder)
    finally:
        shutil.rmtree(folder)
    hot, cold = statistics.median(warm), statistics.median(fresh)
    print(f"click to first step, warm child  {hot:.2f} s (worst {max(warm):.2f} s)")
    print(f"fresh process, start to step     {cold:.2f} s")
    print(f"ratio {cold / hot:.1f} x; target {TARGET_SECONDS} s")
    print(f"conditions: median of {TRIES}, starter model, LoRA r 8, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
