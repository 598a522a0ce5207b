"""The fork server of the engine: has its libraries imported, and forks trainers and what else
`python -m maxaillm.dev.finetune` does.

`python -m maxaillm.dev.finetune.processes.engine_server FD` serves the listening socket that it
inherits as FD. Requests that come while it still imports are answered then.

A trainer runs what others wrote, and may run what they want. So a request names a command of the
engine and a folder below the one that the server was started in, and no program, environment or
other place; and whoever descends from the server, as trainers do, is refused.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from maxaillm.dev.finetune.processes.child import own_temporary
from maxaillm.dev.finetune.processes.descendants import adopt_orphans
from maxaillm.dev.finetune.processes.fork_server import (
    ForkServer,
    PublicSource,
    Source,
    redirect_output,
)
from maxaillm.dev.finetune.processes.imports import import_ahead
from maxaillm.dev.finetune.processes.parent_death import end_with_connection, end_with_parent

IMPORTED_AHEAD = (
    "maxaillm.dev.finetune.hf",  # first: it says what torch is to keep
    "torch",
    "transformers.trainer",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "peft",
    "datasets",
    "maxaillm.dev.finetune.__main__",
    "maxaillm.dev.finetune.providers.hugging_face",
)
COMMANDS = frozenset({"train", "tokens", "export", "evaluate", "merge"})
"""Those of `python -m maxaillm.dev.finetune` that a fork carries out."""
LOWER_PRIORITY = 10
"""Of what a fork carries out, against the pages and the answers."""


class Request(NamedTuple):
    """What a trainer is started with."""

    argv: Sequence[str]
    """The arguments of `python -m maxaillm.dev.finetune`."""
    folder: str
    """Where it works."""
    log: str
    """The name of the file there that gets its output."""
    temporary: str
    """Its private folder for temporary files."""

    def is_permitted(self, root: Path) -> bool:
        """Whether it is of the kind that this server carries out, within `root`."""
        folder, temporary = Path(self.folder), Path(self.temporary)
        return (
            self.argv[0] in COMMANDS
            and folder.resolve() == folder
            and folder.is_relative_to(root)
            and folder.is_dir()
            and self.log == Path(self.log).name
            and is_private(temporary)
        )

    def take_over(self, connection: socket.socket) -> None:
        """Give a forked child what was requested, and bind its life to the connection."""
        end_with_connection(connection)
        os.nice(LOWER_PRIORITY)
        os.chdir(self.folder)
        redirect_output(self.log)
        os.environ.update(own_temporary(self.temporary))
        tempfile.tempdir = None  # it is looked up anew
        faulthandler.enable()

    def carry_out(self) -> int:
        engine = importlib.import_module("maxaillm.dev.finetune.__main__")
        code: int = engine.main(list(self.argv))
        return code


def is_private(folder: Path) -> bool:
    """Whether this user alone may look into a folder, which is no link to another one."""
    facts = folder.lstat()
    mine = facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) & 0o077 == 0
    return mine and stat.S_ISDIR(facts.st_mode)


def engine_source(listener: socket.socket, root: Path) -> PublicSource:
    """Requests for what is carried out in folders below `root`."""

    def permit(content: dict[str, Any]) -> Request:
        request = Request(**content)
        if not request.is_permitted(root):
            raise ValueError(f"{request.argv} in {request.folder}")
        return request

    return PublicSource(listener, permit)


def main(*sources: Source, imports: Sequence[str] = IMPORTED_AHEAD) -> None:
    """Serve until the parent of this process ends. Returns in no process."""
    os.umask(0o077)
    end_with_parent(os.getppid())
    import_ahead(imports)
    adopt_orphans()
    sys.exit(ForkServer(*sources).serve().carry_out())


if __name__ == "__main__":
    main(engine_source(socket.socket(fileno=int(sys.argv[1])), Path.cwd().resolve()))
