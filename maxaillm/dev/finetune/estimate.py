"""What a run will need, from the headers of its files alone: no weights, no torch."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from functools import cache
from itertools import islice
from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
from pydantic import JsonValue

from maxaillm.dev.finetune.blueprint import Blueprint
from maxaillm.dev.finetune.errors import DataError, ModelError
from maxaillm.dev.finetune.formats import Example, texts_of
from maxaillm.dev.finetune.model_folder import check_folder, find_folder, read_header

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig

SAMPLED_ROWS = 200
PACKED_SHARE = 0.98
TEMPLATE_TOKENS = 4
"""What a chat template adds to a turn beside the role, about."""
ACTIVATION_BYTES = 68
"""A layer keeps 34 s b h bytes at 16 bits without the attention scores (Korthikanti et al. 2022,
"Reducing Activation Recomputation", table 2), which fused attention does not store."""
CHECKPOINTED_BYTES = 4
QUANTIZED_BYTES = {"8bit": 1.0, "4bit": 0.52}
"""A weight with its share of the scales, which are quantised too (Dettmers et al. 2023)."""
LOGITS_BYTES = 3 * 4 * 128 * 50_000
"""Logits are made in chunks; three copies of one live at once."""
PROCESS_BYTES = 600_000_000
"""The libraries themselves."""
HIGH_WATER = 1.5
"""The allocator's peak over what is live: measured 1.15 to 3 on CPU, most often near this."""
BUSY_SHARE = 0.3
"""Of the matrix-product rate, what training reaches; the rest is attention, norms, memory."""


class Memory(NamedTuple):
    """Bytes by what they hold. `total` adds the libraries and the allocator's reserve."""

    weights: int
    optimizer: int
    gradients: int
    activations: int
    total: int


class Estimate(NamedTuple):
    """Figures of a run that has not begun. `seconds` is None where the speed is unknown."""

    trainable_parameters: int
    total_parameters: int
    steps: int
    tokens: int
    memory_bytes: Memory
    available_bytes: int
    fits: bool
    seconds: float | None
    disk_bytes: int

    def as_json(self) -> dict[str, JsonValue]:
        return {**self._asdict(), "memory_bytes": dict(self.memory_bytes._asdict())}


class Rows(NamedTuple):
    """How many rows there are and how many tokens the mean one has, cut at the maximum."""

    number: int
    tokens: float


def estimate(config: RunConfig, rows: int | None = None) -> Estimate:
    """What the run will need. `rows` spares counting the training file where it is known.

    Raises ModelError, DataError.
    """
    folder = local_folder(config.model.name)
    settings = check_folder(folder)
    shapes = {
        name: tuple(tensor["shape"])
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in read_header(path).items()
    }
    total = sum(prod(shape) for shape in shapes.values())
    base = Blueprint(shapes, settings)
    trainable = config.tuning.count_trainable(base)
    data = rows_of(config, folder, rows)
    steps = count_steps(config, sequences_of(config, data))
    width = min(data.tokens, config.data.max_length)
    filled = config.data.max_length * PACKED_SHARE if packs(config) else width
    batch = config.training.per_device_train_batch_size * config.training.devices
    tokens = int(steps * batch * config.training.gradient_accumulation_steps * filled)
    memory = memory_of(config, base, trainable)
    available = available_bytes()
    return Estimate(
        trainable_parameters=trainable,
        total_parameters=total,
        steps=steps,
        tokens=tokens,
        memory_bytes=memory,
        available_bytes=available,
        fits=memory.total <= available,
        seconds=seconds_of(tokens, total, frozen=config.tuning.keeps_base),
        disk_bytes=disk_of(config, total, trainable),
    )


def count_steps(config: RunConfig, sequences: int) -> int:
    """Optimizer steps of the whole run, counted as Hugging Face's Trainer does."""
    training = config.training
    batches = ceil(sequences / (training.per_device_train_batch_size * training.devices))
    an_epoch = max(1, ceil(batches / training.gradient_accumulation_steps))
    return training.max_steps or ceil(training.num_train_epochs * an_epoch)


def local_folder(name: str) -> Path:
    """The model's folder, without a download."""
    folder = find_folder(name)
    if folder:
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError:
        raise ModelError(
            f"{name} is not on this machine yet.", "Its needs are known once it is downloaded."
        ) from None


def rows_of(config: RunConfig, folder: Path, count: int | None) -> Rows:
    from maxaillm.dev.finetune.examples import has_split
    from maxaillm.dev.finetune.running_text import read_documents

    if not config.data.train_file:
        raise DataError("No training file is given.", "Set data.train_file.")
    file = config.data.train_file
    examples = (example for example in read_documents(file) if example.split in {None, "train"})
    tokens = token_counter(folder)
    sample = [tokens(example) for example in islice(examples, SAMPLED_ROWS)]
    if not sample:
        raise DataError("The training file has no rows.", "Choose a file with rows in it.")
    seen = len(sample) + sum(1 for _ in examples) if count is None else count
    has_held_out = bool(config.data.validation_file) or has_split(file, "validation")
    held = 0.0 if has_held_out else config.data.validation_share
    cut = [min(n, config.data.max_length) for n in sample]
    return Rows(max(1, round(seen * (1 - held))), sum(cut) / len(cut))


def token_counter(folder: Path) -> Callable[[Example], int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def count(example: Example) -> int:
        encoded = tokenizer.encode_batch(texts_of(example), add_special_tokens=False)
        return sum(len(part.ids) + TEMPLATE_TOKENS for part in encoded)

    return count


def packs(config: RunConfig) -> bool:
    return config.data.packing and config.tuning.packs


def sequences_of(config: RunConfig, rows: Rows) -> int:
    if not packs(config):
        return rows.number
    return max(1, ceil(rows.number * rows.tokens / (config.data.max_length * PACKED_SHARE)))


def base_bytes(config: RunConfig, base: Blueprint) -> int:
    """Frozen weights are as wide as used, the linear layers of a quantized model narrower."""
    narrow = config.tuning.keeps_base and has_gpu() and config.model.precision != "fp32"
    width = 2 if narrow else 4
    total = sum(prod(shape) for shape in base.shapes.values())
    linear = sum(layer.inputs * layer.outputs for layer in base.linear_layers())
    few = QUANTIZED_BYTES.get(config.model.quantization, width)
    return int((total - linear) * width + linear * few)


def memory_of(config: RunConfig, base: Blueprint, trainable: int) -> Memory:
    """All trained weights are fp32 with Adam's two moments."""
    settings = base.settings
    weights = base_bytes(config, base) + (trainable * 4 if config.tuning.keeps_base else 0)
    batch_tokens = config.training.per_device_train_batch_size * config.data.max_length
    hidden = int(settings.get("hidden_size") or settings.get("n_embd") or 0)
    layers = int(settings.get("num_hidden_layers") or settings.get("n_layer") or 0)
    a_layer = ACTIVATION_BYTES * batch_tokens * hidden
    checkpointed = CHECKPOINTED_BYTES * batch_tokens * hidden * layers + a_layer
    again = config.model.gradient_checkpointing and config.tuning.checkpoints_gradients
    kept = checkpointed if again else a_layer * layers
    activations = kept + LOGITS_BYTES
    live = weights + 12 * trainable + activations
    return Memory(
        weights=weights,
        optimizer=8 * trainable,
        gradients=4 * trainable,
        activations=activations,
        total=int(PROCESS_BYTES + live * HIGH_WATER),
    )


def disk_of(config: RunConfig, total: int, trainable: int) -> int:
    """The last two checkpoints, the best one, one being written, and the finished model."""
    model = 4 * (trainable if config.tuning.keeps_base else total)
    return 4 * 12 * trainable + model + 10_000_000


def seconds_of(tokens: int, parameters: int, *, frozen: bool) -> float | None:
    """By the matrix products: 6 N a token, of which a third is saved where weights are frozen
    (Kaplan et al. 2020). None on a GPU, whose rate is not measured here."""
    if has_gpu():
        return None
    return (4 if frozen else 6) * parameters * tokens / (flops_per_second() * BUSY_SHARE)


@cache
def flops_per_second() -> float:
    """This machine's rate of fp32 matrix products, from one that takes milliseconds."""
    import numpy as np

    size = 768
    matrix = np.ones((size, size), np.float32)
    matrix @ matrix
    began = time.perf_counter()
    for _ in range(3):
        matrix @ matrix
    return 3 * 2 * size**3 / (time.perf_counter() - began)


def has_gpu() -> bool:
    return bool(gpu_free_bytes())


@cache
def gpu_free_bytes() -> int:
    """Free memory of the first GPU as its driver's tool tells it; 0 without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    query = [tool, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    lines = done.stdout.split()
    return int(lines[0]) * 2**20 if done.returncode == 0 and lines else 0


def available_bytes() -> int:
    """Memory that a run may use now: the GPU's, else the machine's within its control group."""
    if has_gpu():
        return gpu_free_bytes()
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
    except OSError:
        return free
    return free if limit.strip() == "max" else min(free, int(limit) - int(used))
