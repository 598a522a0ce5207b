"""oneDNN's compiled kernels: their number is limited before torch is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from maxaillm.dev.finetune.hf import KERNELS_KEPT

PROGRAM = """
import sys
from importlib.abc import MetaPathFinder

class Watch(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            import os
            print(*(os.environ[name] for name in sys.argv[1:]))
            raise SystemExit

sys.meta_path.insert(0, Watch())
from maxaillm.dev.finetune.hf.loading import precision
import torch
"""


@pytest.mark.parametrize("own", [None, "7"])
def test_limits_are_set_before_torch_is_imported_and_the_users_count_more(own):
    environment = {name: value for name, value in os.environ.items() if name not in KERNELS_KEPT}
    if own:
        environment[next(iter(KERNELS_KEPT))] = own
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *KERNELS_KEPT],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    first, *rest = KERNELS_KEPT.values()
    assert done.stdout.split() == [own or first, *rest]
