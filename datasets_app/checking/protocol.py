"""How a child process speaks, a JSON object a line, and how it limits itself."""

from __future__ import annotations

import json
import resource
import sys


def tell(kind: str, content: object) -> None:
    sys.stdout.write(json.dumps({kind: content}) + "\n")
    sys.stdout.flush()


def limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
