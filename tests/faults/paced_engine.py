"""The engine's fork server, whose trainers rest after each step: a run lasts long enough to be
disturbed on any processor, and costs little of it.

`python -m tests.faults.paced_engine FD` is `maxaillm.dev.finetune.processes.engine_server FD`.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from maxaillm.dev.finetune.processes import engine_server

PAUSE_SECONDS = 0.06


def pace() -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    register_optimizer_step_post_hook(lambda *_: time.sleep(PAUSE_SECONDS))


if __name__ == "__main__":
    pace()
    listener = socket.socket(fileno=int(sys.argv[1]))
    engine_server.main(engine_server.engine_source(listener, Path.cwd().resolve()))
