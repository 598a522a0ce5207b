"""A fresh environment for a wheel: its own packages first, the libraries of the tests behind."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # to pip: no isolation
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class FreshEnvironment:
    """`pip` and `python` stand first on the path of its commands, which see no checkout."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder)
        self.bin = folder / "bin"
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
        pip = self.bin / "pip"
        pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
        pip.chmod(0o755)

    def env(self, home: Path, more: Mapping[str, str] = {}) -> dict[str, str]:
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        threads = os.environ.get("OMP_NUM_THREADS", "1")
        return {**OFFLINE, "PATH": path, "HOME": str(home), "OMP_NUM_THREADS": threads, **more}

    def run(self, *command: str | Path, cwd: Path) -> str:
        """The output of a command in a home of its own."""
        done = subprocess.run(
            command, cwd=cwd, env=self.env(cwd), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
