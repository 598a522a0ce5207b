"""A gigabyte through the upload protocol of a real site: its rate, and what the web process takes.

Run: python -m benchmarks.upload_rate [megabytes]

The client sends pieces of 8 MB with their SHA-256, as the page does; the file is then taken in
(hashed and stored), but not checked.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import httpx
import psutil

from tests.site_process import Site, running_site

MEGABYTES, PIECE = 1_000, 8 * 2**20
TUS = {"Tus-Resumable": "1.0.0"}
TARGET = "40 MB/s, web memory + 50 MB"


def main() -> None:
    size = (int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES) * 1_000_000
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder, "site")) as site,
        httpx.Client(base_url=site.url, timeout=600) as client,
    ):
        sign_up(client, site)
        web = web_process(site)
        before = web.memory_info().rss
        with Peak(web) as peak:
            begin = perf_counter()
            url = upload(client, size)
            sent = perf_counter()
            client.post(f"{url}import/", headers=headers(client)).raise_for_status()
            done = perf_counter()
    print(
        f"{size / 1e6:,.0f} MB sent at {size / 1e6 / (sent - begin):.0f} MB/s, with taking it in "
        f"{size / 1e6 / (done - begin):.0f} MB/s; the web process grew by "
        f"{(peak.bytes - before) / 1e6:.0f} MB to {peak.bytes / 1e6:.0f} MB; target {TARGET}; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def sign_up(client: httpx.Client, site: Site) -> None:
    page = client.get(site.first_visit)
    action = str(page.url)
    password = "petrol-and-hairlines"
    fields = {"username": "owner", "password1": password, "password2": password}
    answer = client.post(action, data=fields | {"csrfmiddlewaretoken": token_in(page.text)})
    assert answer.status_code in {200, 302}, answer.text[:500]


def token_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found
    return found[1]


def headers(client: httpx.Client) -> dict[str, str]:
    return TUS | {"X-CSRFToken": client.cookies["csrftoken"], "Referer": str(client.base_url)}


def upload(client: httpx.Client, size: int) -> str:
    name = base64.b64encode(b"large.jsonl").decode()
    begin = {"Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
    url = client.post("/datasets/uploads/", headers=headers(client) | begin).headers["Location"]
    piece = os.urandom(PIECE)
    offset = 0
    while offset < size:
        part = piece[: size - offset]
        checksum = base64.b64encode(hashlib.sha256(part).digest()).decode()
        sent = {
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {checksum}",
            "Content-Type": "application/offset+octet-stream",
        }
        client.patch(url, content=part, headers=headers(client) | sent).raise_for_status()
        offset += len(part)
    return str(url)


def web_process(site: Site) -> psutil.Process:
    family = psutil.Process(site.process.pid).children(recursive=True)
    return next(each for each in family if "serve" in each.cmdline())


class Peak:
    """The most memory that a process holds while the block runs."""

    def __init__(self, process: psutil.Process) -> None:
        self.process, self.bytes, self.over = process, 0, Event()
        self.thread = Thread(target=self.watch)

    def __enter__(self) -> Peak:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.over.wait(0.05):
            self.bytes = max(self.bytes, self.process.memory_info().rss)


if __name__ == "__main__":
    main()
