"""What a run will need, from the headers of its files alone: no weights, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import JsonValue

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.estimate.data import Held, Length, cut_of, look_into, rows_of
from maxaillm.dev.finetune.estimate.machine import available_bytes, flops_per_second, has_gpu
from maxaillm.dev.finetune.estimate.memory import (
    MASKED_SHARE,
    STATE_BYTES,
    Batch,
    Count,
    Memory,
    memory_of,
)
from maxaillm.dev.finetune.estimate.model import (
    Sizes,
    context_of,
    new_head,
    opened_for,
)
from maxaillm.dev.finetune.model_files.folder import check_folder, find_folder, read_header
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.tasks import TASKS, choose_task
from maxaillm.dev.finetune.tasks.names import CLASSES

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig

PACKED_SHARE = 0.98
BUSY_SHARE = 0.45
"""Of the matrix-product rate, what training reaches; the rest is attention, norms, memory. Measured
by processor time on one thread: 0.34 to 0.38 with LoRA, 0.56 with full tuning (GPT-2, Llama)."""


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
    cut_rows: int
    """Rows that are longer than the maximum length, about: as the first rows tell."""
    cut_tokens: int
    """What they lose, in tokens, about."""

    def as_json(self) -> dict[str, JsonValue]:
        return {**self._asdict(), "memory_bytes": dict(self.memory_bytes._asdict())}


class Rows(NamedTuple):
    """The rows for training: how many, how long some of them are, and how they are laid out."""

    number: int
    lengths: Sequence[Length]
    width: int
    packed: bool
    answers_apart: bool
    """Whether a decoder has the answers, and the encoder only the rest."""
    cut_share: float
    cut_tokens: float
    """What a row loses at the maximum length, in the mean."""

    @property
    def mean(self) -> float:
        """Tokens that the model reads of a row; an answer apart is written, not read."""
        read = (length.tokens - length.answer * self.answers_apart for length in self.lengths)
        return sum(read) / len(self.lengths)

    @property
    def answered(self) -> float:
        """Answers' tokens for each that is read."""
        return sum(length.answer for length in self.lengths) / (self.mean * len(self.lengths))

    @property
    def sequences(self) -> int:
        if not self.packed:
            return self.number
        return max(1, ceil(self.number * self.mean / (self.width * PACKED_SHARE)))

    @property
    def filled(self) -> float:
        """Tokens of a sequence, in the mean."""
        return self.number * self.mean / self.sequences

    def largest(self, size: int) -> Batch:
        """Rows of like length come together, so one batch has the longest ones."""
        size = min(size, self.sequences)
        answer = max(length.answer for length in self.lengths) if self.answers_apart else 0
        if self.packed:
            joined = sum(length.tokens**2 for length in self.lengths)
            seen = joined / sum(length.tokens for length in self.lengths)
            return Batch(size, min(self.width, self.number * self.mean), 0, seen)
        longest = max(length.tokens - length.answer * self.answers_apart for length in self.lengths)
        return Batch(size, longest, answer, longest)


def estimate(config: RunConfig, rows: int | None = None) -> Estimate:
    """What the run will need. `rows` spares counting the training file where it is known.

    Raises ModelError, DataError; ProviderError where the model can't be looked into.
    """
    config.provider.require_local_models("What a run needs")
    folder = local_folder(config.model.name)
    settings = check_folder(folder)
    held = look_into(config, folder, rows)
    task = config.task or choose_task(held.kind, settings)
    base = opened_for(task, ModelShapes(read_shapes(folder), settings))
    count = count_parameters(config, base, new_head(task, base, held.labels))
    data = training_rows(config, base, task, held)
    training = config.training
    steps = count_steps(config, data.sequences)
    batch = training.per_device_train_batch_size
    sequences = steps * batch * training.devices * training.gradient_accumulation_steps
    tokens = int(sequences * data.filled)
    memory = memory_of(config, base, task, data.largest(batch), count)
    available = available_bytes()
    return Estimate(
        trainable_parameters=count.trained,
        total_parameters=count.total,
        steps=steps,
        tokens=tokens,
        memory_bytes=memory,
        available_bytes=available,
        fits=memory.total <= available,
        seconds=seconds_of(config, base, task, tokens, data.answered),
        disk_bytes=disk_of(config, count),
        cut_rows=round(data.number * data.cut_share),
        cut_tokens=round(data.number * data.cut_tokens),
    )


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(tensor["shape"])
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in read_header(path).items()
    }


def count_parameters(config: RunConfig, base: ModelShapes, head: int) -> Count:
    """Every method trains a new head; beside a base that stays as it is, in a copy."""
    method = config.tuning
    trained = method.count_trainable(base) + head
    total = sum(prod(shape) for shape in base.shapes.values()) + head
    return Count(total, trained, trained if method.keeps_base else 0)


def training_rows(config: RunConfig, base: ModelShapes, task: str, held: Held) -> Rows:
    data, method = config.data, config.tuning
    context = context_of(base)
    width = data.max_length
    if context:
        width = min(width, context - method.virtual_tokens)
    lengths = rows_of(held, width)
    has_held_out = bool(data.validation_file) or held.has_validation
    share = 0.0 if has_held_out else data.validation_share
    number = round(held.rows * len(lengths) / len(held.lengths) * (1 - share))
    packed = data.packing and method.packs and TASKS[task].packs
    return Rows(max(1, number), lengths, width, packed, task == "seq2seq_lm", *cut_of(held, width))


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


def disk_of(config: RunConfig, count: Count) -> int:
    """The last two checkpoints, the best one, one being written, and the finished model."""
    state = 4 + STATE_BYTES.get(config.training.optim, 8)
    model = 4 * (count.trained if config.tuning.keeps_base else count.total)
    return int(4 * state * count.trained) + model + 10_000_000


def seconds_of(
    config: RunConfig, base: ModelShapes, task: str, tokens: int, answered: float
) -> float | None:
    """By the matrix products: 2 for each weight and token forward, as many for the gradients of
    what goes into a layer, and as many for those of its weights unless they are frozen (Kaplan et
    al. 2020); again 2 where activations are computed twice. A head is at work only where something
    is learned, a decoder at the answers. None on a GPU, whose rate is not measured here."""
    if has_gpu():
        return None
    again = config.model.gradient_checkpointing and config.tuning.checkpoints_gradients
    products = 2 + (not config.tuning.keeps_base) + again
    sizes = Sizes.of(base)
    share = (1 + answered) / 2 if sizes.decoder_layers else 1
    linear = share * sum(layer.inputs * layer.outputs for layer in base.linear_layers())
    learned = MASKED_SHARE if task == "masked_lm" else answered
    head = 0 if task in CLASSES else learned * sizes.vocabulary * sizes.width
    return 2 * products * (linear + head) * tokens / (flops_per_second() * BUSY_SHARE)
