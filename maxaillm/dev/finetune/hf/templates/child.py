"""The process that renders chat templates: this file, run as a program.

It reads requests, one a line, and answers each: `rendered`, or `refused` with the reason. A
template that works too long ends it (RLIMIT_CPU). Every run starts one, so it imports as little as
it can: this file by its path, without the package that it lies in, and of transformers the one
module that renders.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec
from time import process_time
from typing import Any

import psutil

from maxaillm.dev.finetune.processes.json_lines import emit, read_lines, receive_task
from maxaillm.dev.finetune.processes.limits import Limits, set_limit

BURST_SECONDS = 5
"""Of processor time, as long as one conversation may take: a usual one takes a millisecond."""
SHARE_SECONDS = 0.05
"""What each conversation may take in the long run; what it leaves the next ones may have."""
MOST_CHARACTERS = 50_000_000
MEMORY_BYTES = 2**30
"""Besides what the libraries have taken, which depends on the machine."""
LIMITS = Limits(memory_bytes=2**42, cpu_seconds=10**9)
"""Of the process as a whole; those of a conversation are set as it comes."""
BLOCKED = ("torch", "PIL", "torchvision")
LEFT_EMPTY = ("transformers", "transformers.utils")
"""Packages on the way to the module that renders: to run them takes most of a second."""
MISTAKES = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What a template that does not know such a conversation may raise."""


def main() -> None:
    for name in BLOCKED:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in LEFT_EMPTY:
        spec = find_spec(name)
        assert spec
        sys.modules[name] = module_from_spec(spec)
    from transformers.utils.chat_template_utils import render_jinja_template

    seconds = receive_task()
    if sys.platform == "linux":
        set_limit(resource.RLIMIT_AS, psutil.Process().memory_info().vms + MEMORY_BYTES)
    budget = Budget(seconds)
    for _, request in read_lines(sys.stdin):
        budget.begin()
        emit(*answer(render_jinja_template, request))
        budget.end()


def answer(render: Callable[..., Any], request: dict[str, Any]) -> tuple[str, object]:
    from jinja2 import TemplateError

    try:
        texts, spans = render(**request)
    except TemplateError as error:
        return "refused", str(error)
    except MISTAKES as error:
        return "refused", f"{type(error).__name__}: {error}"
    if sum(map(len, texts)) > MOST_CHARACTERS:
        return "refused", f"It writes more than {MOST_CHARACTERS:,} characters."
    return "rendered", {"texts": texts, "spans": spans}


class Budget:
    """The processor time that is left for the next conversation."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.left: float = most

    def begin(self) -> None:
        """The system ends this process once it is used up, to a second."""
        self.began = process_time()
        ends = int(self.began + max(1.0, self.left)) + 1
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (ends, hard))

    def end(self) -> None:
        took = process_time() - self.began
        self.left = min(self.most, self.left - took + SHARE_SECONDS)


if __name__ == "__main__":
    main()
