"""From a trainer's log call to the sockets of many browsers, while the training runs.

Run: python -m benchmarks.live_latency [--viewers 200] [--steps 150]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from time import time

import httpx
from websockets.asyncio.client import connect

from maxaillm.starter import SAMPLE
from tests.e2e.api_client import ApiClient
from tests.site_process import Site, running_site

TARGETS = {50: 250, 200: 1000}
"""Milliseconds at the 95th percentile, by how many look on at most."""
A_PERSON = 50
PASSWORD = "petrol-and-hairlines"


def people(viewers: int) -> list[str]:
    """One may have 60 sockets: so many owners of the site look on."""
    return [f"viewer{number}" for number in range(-(-viewers // A_PERSON))]


def session_cookie(site: Site, name: str) -> str:
    """Sign in as a browser does."""
    with httpx.Client(base_url=site.url) as http:
        http.get("/login/")
        form = {"username": name, "password": PASSWORD}
        form["csrfmiddlewaretoken"] = http.cookies["csrftoken"]
        http.post("/login/", data=form, headers={"Referer": site.url})
        return f"sessionid={http.cookies['sessionid']}"


async def watch(url: str, headers: dict[str, str], delays: list[float]) -> int:
    """Follow a run to its end; the delay of each step is the socket's time less the trainer's."""
    steps = set()
    async with connect(url, additional_headers=headers, max_size=2**20) as socket:
        await socket.send(json.dumps({"after": 0}))
        while True:
            message = json.loads(await asyncio.wait_for(socket.recv(), 120))
            now = time()
            for event in message["events"]:
                if event["kind"] == "log":
                    steps.add(event["step"])
                    delays.append(now - event["time"])
            if message.get("status") in {"succeeded", "failed"}:
                return len(steps)


async def watch_all(
    site: Site, run: int, cookies: list[str], viewers: int
) -> tuple[list[float], list[int]]:
    delays: list[float] = []
    url = f"{site.url.replace('http', 'ws')}/ws/runs/{run}/"
    headers = [{"Cookie": cookie, "Origin": site.url} for cookie in cookies]
    watching = (watch(url, headers[n % len(headers)], delays) for n in range(viewers))
    steps = await asyncio.gather(*watching)
    return delays, list(steps)


def measure(site: Site, viewers: int, steps: int) -> tuple[list[float], list[int]]:
    code = (
        "from django.contrib.auth.models import User;"
        f"[User.objects.create_superuser(f'viewer{{n}}', password='{PASSWORD}') "
        f"for n in range({len(people(viewers))})]"
    )
    site.manage("shell", "-v0", "-c", code)
    client = ApiClient(site.url, site.manage("create_token", "viewer0"))
    dataset = client.upload(Path(SAMPLE), "Benchmark")
    training = {"max_steps": steps, "num_train_epochs": 1000}
    run = client.start(
        {
            "model": {"name": "starter/chat"},
            "data": {"dataset": dataset["id"]},
            "training": training,
        }
    )["id"]
    cookies = [session_cookie(site, name) for name in people(viewers)]
    return asyncio.run(watch_all(site, run, cookies, viewers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--steps", type=int, default=150)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "site").mkdir()
        with running_site(folder / "site") as site:
            delays, steps = measure(site, asked.viewers, asked.steps)
    finally:
        shutil.rmtree(folder)
    complete = sum(1 for seen in steps if seen == asked.steps)
    p50, p95 = statistics.median(delays), statistics.quantiles(delays, n=20)[-1]
    print(f"log call to socket  p50 {p50 * 1000:.0f} ms  p95 {p95 * 1000:.0f} ms")
    target = next((most for many, most in TARGETS.items() if asked.viewers <= many), "none")
    print(f"target              p95 {target} ms")
    print(f"complete            {complete} of {asked.viewers} viewers saw all {asked.steps} steps")
    print(f"conditions: {asked.viewers} sockets beside a running training, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
