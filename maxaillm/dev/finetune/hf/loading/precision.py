"""The floating-point format a device computes in: as asked for, or whichever is quicker here."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from torch.nn.functional import linear

from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.hf.distributed import agreed
from maxaillm.dev.finetune.processes.resources import cache_folder, processor_name
from maxaillm.dev.finetune.run.events import write_atomically
from maxaillm.dev.finetune.run.torchrun import rank

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SPEEDUP = "MAXAILLM_BF16_SPEEDUP"
"""In the environment: what to believe instead of measuring, as tests do."""
SHAPES = ((256, 1024, 1024), (512, 256, 704))
"""Tokens, inputs and outputs of a layer: a middling model's and a small one's."""
TRIES = 7
WORTHWHILE = 1.5
"""How many times as fast a product in bf16 has to be. Of a step some 60 % is matrix products, and
casts make the rest of it slower: where products are 2.1 times as fast, training by LoRA is 1.18
times as fast, so that below 1.4 it would be slower."""


def choose_precision(wanted: str, device: torch.device) -> str:
    """fp32, bf16 or fp16. `auto` is bf16 where that is quicker, else fp16 on a GPU and fp32 on a
    CPU; fp16 does not train on a CPU. Raises FineTuneError for anything else."""
    if wanted not in {"auto", *DTYPES}:
        raise FineTuneError(
            f"There is no precision {wanted}.", f"Choose auto, {', '.join(DTYPES)}."
        )
    if wanted == "auto" and prefers_bf16(device):
        return "bf16"
    if wanted in {"auto", "fp16"}:
        return "fp16" if device.type == "cuda" else "fp32"
    return wanted


def agreed_precision(wanted: str, device: torch.device) -> str:
    """What the first process of a run chooses: the others might measure otherwise."""
    names = list(DTYPES)
    chosen = choose_precision(wanted, device) if rank() == 0 else names[0]
    return names[int(agreed(names.index(chosen)))]


def prefers_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bf16_speedup() >= WORTHWHILE


def bf16_speedup() -> float:
    """How many times as fast as in fp32 a core of this processor multiplies matrices in bf16.
    Measured once, in a tenth of a second, and kept for the machine: its flags name what it can
    do, not how fast."""
    told = os.environ.get(SPEEDUP)
    if not told:
        return kept_speedup(machine_key())
    try:
        return float(told)
    except ValueError:
        raise FineTuneError(
            f"{SPEEDUP} is no number: {told}", "Set it to one, or unset it."
        ) from None


@cache
def kept_speedup(key: str) -> float:
    """What the user's cache holds under `key`, else a measurement, which is kept there. Where
    there can be no cache, each process measures."""
    known: dict[str, float] = {}
    with suppress(OSError, ValueError, RuntimeError):
        known = read_kept(kept_file())
    if key not in known:
        known[key] = measured_speedup()
        with suppress(OSError, RuntimeError):
            kept_file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(kept_file(), json.dumps(known, indent=1).encode())
    return known[key]


def kept_file() -> Path:
    """Raises RuntimeError for a user without a home."""
    return cache_folder() / "bf16_speedup.json"


def read_kept(path: Path) -> dict[str, float]:
    """Raises OSError or ValueError where there is nothing of ours."""
    kept = json.loads(path.read_bytes())
    if not isinstance(kept, dict):
        raise ValueError
    return {key: float(value) for key, value in kept.items() if isinstance(value, int | float)}


def machine_key() -> str:
    """A name for all that decides how fast matrices are multiplied."""
    return " | ".join(
        (
            processor_name(),
            f"torch {torch.__version__}",
            torch.backends.cpu.get_cpu_capability(),  # ATEN_CPU_CAPABILITY may lower it
            os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        )
    )


def measured_speedup() -> float:
    """By the shape that gains least; of several tries of each kind the best count. One thread is
    measured by the time it ran itself, so that a busy machine gives the figure of a quiet one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return min(speedup_of(*shape) for shape in SHAPES)
    finally:
        torch.set_num_threads(threads)


def speedup_of(rows: int, inputs: int, outputs: int) -> float:
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(TRIES):
        for dtype, seconds in best.items():
            best[dtype] = min(seconds, seconds_of_product(rows, inputs, outputs, dtype))
    return best[torch.float32] / best[torch.bfloat16]


@torch.no_grad()
def seconds_of_product(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> float:
    values = torch.ones(rows, inputs, dtype=dtype)
    weights = torch.ones(outputs, inputs, dtype=dtype)
    began = time.thread_time()
    linear(values, weights)
    return time.thread_time() - began


def weights_dtype(precision: str, *, frozen: bool) -> torch.dtype:
    """How weights are held: frozen ones as they are used; trained ones whole, with autocast."""
    return DTYPES[precision] if frozen else torch.float32
