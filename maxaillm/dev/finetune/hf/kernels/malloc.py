"""malloc on a CPU: what becomes of memory that tensors have left."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3
"""Of glibc's `mallopt`."""
THRESHOLD = 2**20


def give_back_tensors() -> None:
    """Return the memory of each tensor of a megabyte and more to the system once it is freed.

    glibc keeps it for later, yet can seldom use it again for a tensor of the same size, which has
    to be aligned: with gradient checkpointing, most of what is saved would be lost like that
    (1,206 MB against 776 MB, GPT-2 of 17 M parameters, LoRA, 8 x 128). The system takes a while to
    hand out fresh memory, so this is for runs that want to save it. Elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, THRESHOLD)
