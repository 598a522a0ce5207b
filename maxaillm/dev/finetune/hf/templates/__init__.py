"""Chat templates of models, rendered in a child process with limits of time and memory.

A template is a program that came with a model. transformers renders it in Jinja's sandbox, which
keeps it from the system, but not from loops without end or from texts without measure.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from pydantic import BaseModel
from transformers import tokenization_utils_base
from transformers.utils import chat_template_utils

import maxaillm
from maxaillm import starter
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.hf.templates.child import BURST_SECONDS, LIMITS
from maxaillm.dev.finetune.processes.child import allowed_environment, kill_group, start_child
from maxaillm.dev.finetune.processes.json_lines import read_lines, send_task

WALL_SECONDS = 120.0
"""By the wall's clock: on a busy machine far more than the time that it may work."""
PROGRAM = Path(__file__).with_name("child.py")
PACKAGES = Path(maxaillm.__file__).resolve().parent.parent
Rendered = tuple[list[str], list[list[tuple[int, int]]]]


class TemplateChild:
    """The process that renders; it is started by the first template that comes from a model."""

    def __init__(self, seconds: int = BURST_SECONDS) -> None:
        self.seconds = seconds
        """Of processor time that one conversation may take."""
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None
        self.owner = 0

    def render(self, request: Mapping[str, Any]) -> Rendered:
        """Raises TemplateError where the template refuses, ModelError where it does not end."""
        line = json.dumps({"render": request}, default=plain)
        with self.lock:
            process = self.running()
            assert process.stdin and process.stdout
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], WALL_SECONDS)
            answer = next(read_lines(process.stdout), None) if ready else None
        if answer is None:
            raise self.ended(process)
        kind, content = answer
        if kind == "refused":
            raise TemplateError(content)
        return content["texts"], [[(s, e) for s, e in spans] for spans in content["spans"]]

    def running(self) -> subprocess.Popen[str]:
        """The process of this process: a fork must not write into its parent's."""
        if self.process is None or self.owner != os.getpid() or self.process.poll() is not None:
            self.process, self.owner = start(self.seconds), os.getpid()
        return self.process

    def ended(self, process: subprocess.Popen[str]) -> ModelError:
        kill_group(process.pid)
        was_slow = process.wait() in {-signal.SIGXCPU, -signal.SIGKILL}
        return ModelError(
            f"The model's chat template worked on one conversation for {self.seconds} s, without "
            "an end."
            if was_slow
            else "The model's chat template broke the process that rendered it.",
            "Choose another model, or correct its chat template.",
        )


def start(seconds: int) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": str(PACKAGES), "PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process: subprocess.Popen[str] = start_child(
        [sys.executable, str(PROGRAM)],
        env=allowed_environment() | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    send_task(process.stdin, seconds, LIMITS)
    return process


child = TemplateChild()
trusted = {(starter.FOLDER / "chat_template.jinja").read_text(encoding="utf-8")}


def trust(*templates: str) -> None:
    """Have templates of ours rendered here, where it is quicker."""
    trusted.update(templates)


def render_jinja_template(
    conversations: Sequence[Any],
    tools: Sequence[Any] | None = None,
    documents: Sequence[Any] | None = None,
    chat_template: str | None = None,
    **options: Any,
) -> Rendered:
    """What the function of this name in transformers gives, within limits.

    Raises TemplateError where the template refuses, ModelError where it does not end.
    """
    request = {
        "conversations": conversations,
        "tools": tools,
        "documents": documents,
        "chat_template": chat_template,
        **options,
    }
    if chat_template in trusted:
        texts, spans = chat_template_utils.render_jinja_template(**request)
        return texts, spans
    return child.render(request)


def plain(value: Any) -> Any:
    """What JSON has no word for, as transformers would show it to a template."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if callable(value):
        return chat_template_utils.get_json_schema(value)
    return getattr(value, "messages", None) or str(value)


@cache
def use_limited_templates() -> None:
    """From now on every tokenizer of this process renders within limits, whoever asks it to."""
    tokenization_utils_base.render_jinja_template = render_jinja_template
