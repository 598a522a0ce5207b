"""For a fork server of `multiprocessing`, which imports modules by name: the engine's libraries."""

from maxaillm.dev.finetune.processes.engine_server import IMPORTED_AHEAD
from maxaillm.dev.finetune.processes.imports import import_ahead

import_ahead(IMPORTED_AHEAD)
