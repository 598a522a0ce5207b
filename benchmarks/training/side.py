"""Trains one side in a process of its own: python -m benchmarks.training.side SIDE WORK FOLDER."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.training.clock import Figures, matrix_products
from benchmarks.training.works import WORKS

SIDES = ("padded", "llamafactory", "ours", "ours-fp32", "ours-bf16")
"""Ours as it is by default, and in each precision."""
PEER_PYTHON = os.environ.get("MAXFT_LLAMAFACTORY_PYTHON", "")
THREADS = os.environ.get("OMP_NUM_THREADS", "2")


def lacking(side: str, work: str) -> str | None:
    """Why a side can't do a work; None where it can."""
    if side != "llamafactory":
        return None
    if WORKS[work].task != "causal_lm":
        return "it only trains causal language models"
    return None if PEER_PYTHON else "MAXFT_LLAMAFACTORY_PYTHON is not set, see benchmarks/README.md"


def measure(side: str, work: str, folder: Path) -> Figures:
    """Figures of a side, with `first_step`: seconds from the process's start to its first step."""
    python = PEER_PYTHON if side == "llamafactory" else sys.executable
    command = [python, "-m", "benchmarks.training.side", side, work, str(folder)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": THREADS,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "DISABLE_VERSION_CHECK": "1",
    }
    began = time.time()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    if "first_step_at" in figures:
        figures["first_step"] = figures.pop("first_step_at") - began
    return figures


def main() -> None:
    side, work, folder = sys.argv[1:]
    if side == "machine":
        figures = matrix_products()
    else:
        name, _, precision = side.partition("-")
        options = {"precision": precision} if precision else {}
        module = import_module(f"benchmarks.training.{name}")
        figures = module.train(WORKS[work], Path(folder), **options)
    print(f"\n{json.dumps(figures)}")


if __name__ == "__main__":
    main()
