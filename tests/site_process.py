"""A real site, started by the command that users type, in a directory of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 300
"""Far more than anything takes; a busy machine may be slow, but not wrong."""
CHECKOUT = (sys.executable, str(ROOT / "manage.py"))
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+/\S*)\n")


class Site(NamedTuple):
    processes: list[subprocess.Popen[str]]
    """The last one is up."""
    url: str
    first_visit: str
    """The address printed at the start; it carries the setup token where there is no user."""
    data_dir: Path
    env: dict[str, str]
    maxft: Sequence[str]
    start: Callable[[], str]
    """Starts the site; gives the address that it prints."""

    @property
    def process(self) -> subprocess.Popen[str]:
        return self.processes[-1]

    def restart(self) -> None:
        """As a person does it: SIGTERM, wait, start."""
        stop(self.process)
        self.start()

    def manage(self, *arguments: str) -> str:
        """The output of a command on this site's data."""
        done = subprocess.run(
            [*self.maxft, *arguments], env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def log_tail(self) -> str:
        files = sorted((self.data_dir / "logs").glob("*"))
        return "\n".join(f"== {file.name}\n{file.read_text()[-2000:]}" for file in files)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_site(data_dir: Path, *options: str, maxft: Sequence[str] = CHECKOUT) -> Iterator[Site]:
    """`maxft up` until the block ends; then SIGTERM, and all of it must be gone in time."""
    env = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    env |= {"MAXFT_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}
    env.pop("DATABASE_URL", None)
    command = [*maxft, "up", "--no-browser", "--port", str(free_port()), *options]
    output = data_dir.parent / f"{data_dir.name}-up.txt"
    processes: list[subprocess.Popen[str]] = []

    def start() -> str:
        with output.open("w") as file:
            processes.append(
                subprocess.Popen(
                    command, cwd=data_dir, env=env, text=True, stdout=file, stderr=file
                )
            )
        return wait_for_address(processes[-1], output)

    try:
        address = start()
        base = re.match(r"http://127\.0\.0\.1:\d+", address)
        assert base is not None
        yield Site(processes, base.group(), address, data_dir, env, maxft, start)
    finally:
        for process in processes:
            stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_SECONDS)


def wait_for_address(process: subprocess.Popen[str], output: Path) -> str:
    from time import monotonic, sleep

    end = monotonic() + PATIENCE_SECONDS
    while monotonic() < end:
        if found := ADDRESS.search(output.read_text()):
            return found.group(1)
        if process.poll() is not None:
            break
        sleep(0.1)
    process.kill()
    raise AssertionError(f"The site did not start:\n{output.read_text()[-4000:]}")
