"""Max.AI: fine-tune language models on one's own machine."""

from logging import ERROR, getLogger

__version__ = "0.1.0"

# Imported by PEFT whenever it is installed, it would tell every command that it misses kernels
# for a way to compute in 4 bits that is never taken: hf.loading.take_plain_path.
getLogger("bitsandbytes.backends.cpu.ops").setLevel(ERROR)
