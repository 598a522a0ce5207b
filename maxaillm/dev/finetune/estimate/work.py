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
    def read(self) -> list[int]:
        """Tokens that the model reads of some rows; an answer apart is written, not read."""
        return [length.tokens - length.answer * self.answers_apart for length in self.lengths]

    @property
    def mean(self) -> float:
        return sum(self.read) / len(self.lengths)

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

    def padded(self, size: int) -> float:
        """Tokens of a sequence with what fills it up to the longest of its batch, in the mean: rows
        of like length come together."""
        if self.packed:
            return self.filled
        lengths, batches = sorted(self.read), ceil(self.number / size)
        wide = max(1, round(len(lengths) / batches))
        parts = [lengths[begin : begin + wide] for begin in range(0, len(lengths), wide)]
        return sum(len(part) * part[-1] for part in parts) / len(lengths)

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
    fresh: float = 0.0
    """Bytes that the system hands out anew."""

    def times(self, number: float) -> Work:
        return Work(
            self.products * number,
            self.values * number,
            self.calls * number,
            self.width,
            self.fresh * number,
        )

    def plus(self, other: Work) -> Work:
        return Work(
            self.products + other.products,
            self.values + other.values,
            self.calls + other.calls,
            self.width,
            self.fresh + other.fresh,
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
    size = min(training.per_device_train_batch_size, data.sequences)
    tokens = size * data.padded(size)
    forward = pass_of(job, tokens)
    again = config.model.gradient_checkpointing and method.checkpoints_gradients
    backward = 1 + (not method.keeps_base) + again
    passes = Work(
        products=forward.products * (1 + backward),
        values=forward.values * (2 + again + (not method.keeps_base)),
        calls=forward.calls * (3 + again),
        width=forward.width,
    )
    each = passes.plus(adapters_of(job, tokens, again=again))
    if job.task == "preference":
        each = each.plus(preference_loss_of(job, tokens))
    each = each._replace(fresh=fresh_of(job, tokens, each.values, again=again))
    moved = Work(0.0, OPTIMIZER_BYTES * job.trained, STEP_CALLS, forward.width)
    return each.times(batches).plus(moved)


def preference_loss_of(job: Job, tokens: float) -> Work:
    """What TRL's loss adds to the passes of a batch: the logits of all positions are made once
    more for the gradient, and gone through again and again for the loss and its figures."""
    sizes = Sizes.of(job.base)
    logits = tokens * sizes.vocabulary
    return Work((2 * sizes.width + LOGIT_OPERATIONS) * logits, 0.0, 0.0, sizes.width)


LOGIT_OPERATIONS = 1_900
"""What a logit costs in operations of wide products. Measured with DPO on a Llama of 5 M parameters
and a vocabulary of 8,192: 35 ns, of which the exponentials are a few."""


def adapters_of(job: Job, tokens: float, *, again: bool) -> Work:
    """What adapters beside the layers add to the passes of a batch, forward and backward."""
    kept = tokens * job.config.tuning.kept_values(job.base)
    learned = (6 + 2 * again) * tokens * job.trained * bool(kept)
    return Work(
        products=NARROW * learned + KEPT * kept,
        values=12 * kept,
        calls=ADAPTER_CALLS * len(job.base.linear_layers()) * bool(kept),
        width=Sizes.of(job.base).width,
    )


NARROW, KEPT = 5.3, 170
"""What an adapter's products, as narrow as its rank, cost beside wide ones, and what a number that
it keeps costs in operations, most of it the random numbers of dropout. Measured on layers of 256 to
1,536 at rank 8: 10 to 14 GFLOP/s against 95, and 1.5 to 4.9 ns for each input with dropout."""
ADAPTER_CALLS = 8
"""Operations of a layer's adapter, forward and backward."""


def fresh_of(job: Job, tokens: float, values: float, *, again: bool) -> float:
    """Bytes of a batch for which the system hands out new memory: with gradient checkpointing, on
    a processor, tensors give theirs back (`hf/kernels/malloc.py`), and malloc itself gives back
    the largest, such as the logits that a preference trainer holds whole."""
    logits = 4 * tokens * Sizes.of(job.base).vocabulary
    whole = logits if job.task == "preference" else 0.0
    return FRESH_SHARE * values * again + TIMES_HELD * whole


FRESH_SHARE = 2.1
"""Of the bytes gone through. Measured by page faults: 1,952 MB a step of GPT-2 with 17 M
parameters, LoRA, 8 x 128, which took 0.94 of 2.71 s."""
TIMES_HELD = 10
"""Tensors as large as the logits, a step: 320 MB of page faults at 33.6 MB of logits, and 44 to 600
MB at 24."""
OPTIMIZER_BYTES = 32
"""Read and written for each trained number: weight, gradient, Adam's two moments, the clipping."""
STEP_CALLS = 100
"""Of the trainer itself, a step."""
