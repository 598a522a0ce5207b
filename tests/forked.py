"""Processes that need not import the libraries: forked from one that has them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from maxaillm.dev.finetune.processes import engine_server
from tests.site_process import PATIENCE_SECONDS

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.imported_ahead"])


class Forked:
    """`call(*arguments)` in a process of its own, with `env` added to its environment."""

    def __init__(
        self, call: Callable[..., object], *arguments: object, env: Mapping[str, str] | None = None
    ) -> None:
        self.output, written = CONTEXT.Pipe(duplex=False)
        self.process = CONTEXT.Process(
            target=begin, args=(written, dict(env or {}), call, *arguments)
        )
        self.process.start()
        written.close()

    def lines(self) -> Iterator[str]:
        """What it prints, until it ends."""
        with os.fdopen(os.dup(self.output.fileno())) as file:
            yield from file

    def told(self) -> Iterator[dict[str, Any]]:
        """The events that it prints."""
        return (json.loads(line) for line in self.lines() if line.startswith("{"))

    def end(self) -> int:
        """How it ended, negative for a signal."""
        self.process.join(PATIENCE_SECONDS)
        self.output.close()
        assert self.process.exitcode is not None
        return self.process.exitcode


def begin(
    written: Connection, env: Mapping[str, str], call: Callable[..., object], *arguments: object
) -> None:
    os.environ.update(env)
    os.dup2(written.fileno(), 1)
    written.close()
    call(*arguments)


def serve_engine(listener: socket.socket, root: Path) -> None:
    """The engine's fork server, for folders below `root`."""
    engine_server.main(engine_server.engine_source(listener, root.resolve()))
