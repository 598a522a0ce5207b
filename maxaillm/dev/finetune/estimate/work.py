"""Work of a run: what its steps, evaluations and answers ask of a machine, from sizes alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from maxaillm.dev.finetune.estimate.data import Length
from maxaillm.dev.finetune.estimate.memory import MASKED_SHARE, Batch
from maxaillm.dev.finetune.estimate.model import Sizes
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.tasks.names import CLASSES

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig

PACKED_SHARE = 0.98


class Rows(NamedTuple):
    """The rows for training: how many, how long some of them are, and how they are laid out."""

    number: int
    held_out: int
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

    @property
    def seen(self) -> float:
        """How many tokens attention joins with one, in the mean."""
        return sum(length.tokens**2 for length in self.lengths) / sum(
            length.tokens for length in self.lengths
        )

    def largest(self, size: int) -> Batch:
        """Rows of like length come together, so one batch has the longest ones."""
        size = min(size, self.sequences)
        answer = max(length.answer for length in self.lengths) if self.answers_apart else 0
        if self.packed:
            return Batch(size, min(self.width, self.number * self.mean), 0, self.seen)
        longest = max(length.tokens - length.answer * self.answers_apart for length in self.lengths)
        return Batch(size, longest, answer, longest)


class Job(NamedTuple):
    """A run as far as its work depends on it."""

    config: RunConfig
    task: str
    metrics: Sequence[str]
    base: ModelShapes
    data: Rows
    steps: int
    trained: int
    """Parameters that are."""


class Work(NamedTuple):
    """What a machine has to do: multiply, go through values, and begin operations."""

    products: float
    """Operations on numbers in matrix products."""
    values: float
    """Bytes that are read or written value by value."""
    calls: float
    """Operations that are begun, whatever their size."""
    width: int
    """Of the products: narrow ones reach less of what the machine can."""

    def times(self, number: float) -> Work:
        return Work(self.products * number, self.values * number, self.calls * number, self.width)

    def plus(self, other: Work) -> Work:
        return Work(
            self.products + other.products,
            self.values + other.values,
            self.calls + other.calls,
            self.width,
        )


def pass_of(job: Job, tokens: float) -> Work:
    """One pass forward of a batch of so many tokens.

    Two operations for each weight and token (Kaplan et al. 2020), and those of attention. A head
    is at work only where something is learned, a decoder at the answers.
    """
    base, task, data = job.base, job.task, job.data
    sizes = Sizes.of(base)
    answered = data.answered if task != "masked_lm" else 0.0
    share = (1 + answered) / 2 if sizes.decoder_layers else 1.0
    layers = sizes.layers + sizes.decoder_layers
    linear = share * sum(layer.inputs * layer.outputs for layer in base.linear_layers())
    learned = {"masked_lm": MASKED_SHARE, "preference": 1.0}.get(task, answered)  # TRL's: all
    vocabulary = 0.0 if task in CLASSES else learned * sizes.vocabulary
    attention = 2 * share * layers * data.seen * sizes.width
    block = BLOCK_PASSES * sizes.width + sizes.inner_kept * sizes.inner
    return Work(
        products=2 * tokens * (linear + vocabulary * sizes.width + attention),
        values=4 * tokens * (share * layers * block + 2 * vocabulary),
        calls=CALLS_A_LAYER * layers + len(base.linear_layers()),
        width=sizes.width,
    )


BLOCK_PASSES = 12
"""Times that a block goes through values as wide as the model: norms, adding, attention's parts."""
CALLS_A_LAYER = 12
"""Operations of a block beside its linear layers."""


def step_of(job: Job) -> Work:
    """One step of the optimizer, all its batches."""
    config, data = job.config, job.data
    training, method = config.training, config.tuning
    batches = training.gradient_accumulation_steps
    tokens = min(training.per_device_train_batch_size, data.sequences) * data.filled
    forward = pass_of(job, tokens)
    again = config.model.gradient_checkpointing and method.checkpoints_gradients
    backward = 1 + (ADAPTER_PASSES if method.keeps_base else 1) + again
    backward += job.task == "preference"  # the pass of the reference
    adapters = 4 * tokens * method.kept_values(job.base)
    layers = len(job.base.linear_layers())
    each = Work(
        products=forward.products * (1 + backward),
        values=forward.values * (2 + again + (not method.keeps_base)) + 3 * adapters,
        calls=forward.calls * (3 + again) + ADAPTER_CALLS * layers * bool(adapters),
        width=forward.width,
    )
    moved = Work(0.0, OPTIMIZER_BYTES * job.trained, STEP_CALLS, forward.width)
    return each.times(batches).plus(moved)


ADAPTER_PASSES = 0.25
"""What an adapter's narrow products cost beside a pass of the layers that they lie on."""
ADAPTER_CALLS = 8
"""Operations of a layer's adapter, forward and backward."""
OPTIMIZER_BYTES = 32
"""Read and written for each trained number: weight, gradient, Adam's two moments, the clipping."""
STEP_CALLS = 100
"""Of the trainer itself, a step."""
