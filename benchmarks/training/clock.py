"""What every side measures alike: time by two clocks, memory, and when the first step was done."""

from __future__ import annotations

import time

from maxaillm.dev.finetune.processes.resources import peak_rss_bytes

Figures = dict[str, float]


class Clock:
    """Seconds on the wall, and of processor time, which other processes disturb less.

    It runs from the start of training to the last step that was told.
    """

    def __init__(self) -> None:
        self.figures: Figures = {}
        self.start()

    def start(self) -> None:
        self.wall, self.cpu = time.monotonic(), time.process_time()

    def step(self) -> None:
        self.figures.setdefault("first_step_at", time.time())
        self.figures["wall"] = time.monotonic() - self.wall
        self.figures["cpu"] = time.process_time() - self.cpu

    def read(self, tokens: float) -> Figures:
        """The figures, of which `tokens` were no padding; memory is the whole process's peak."""
        peak = peak_rss_bytes() / 2**20
        return {**self.figures, "tokens": tokens, "peak_mb": peak}


def matrix_products(seconds: float = 3, size: int = 2048) -> Figures:
    """FLOP a second of fp32 matrix products, by both clocks."""
    import torch

    left, right = torch.randn(size, size), torch.randn(size, size)
    torch.mm(left, right)
    wall, cpu, done = time.monotonic(), time.process_time(), 0
    while time.monotonic() - wall < seconds:
        torch.mm(left, right)
        done += 2 * size**3
    return {"wall": done / (time.monotonic() - wall), "cpu": done / (time.process_time() - cpu)}
