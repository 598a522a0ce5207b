"""How much memory a step of training takes, part by part, from sizes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maxaillm.dev.finetune.estimate.machine import has_gpu
from maxaillm.dev.finetune.estimate.model import Sizes
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.tasks.names import CLASSES

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig

PROCESS_BYTES = 600_000_000
"""What a run holds before its first step beside the weights: the libraries, mostly. Measured."""
HIGH_WATER = 1.4
"""The allocator's peak over the activations that are live. Measured."""
BLOCK_WIDTHS = 9
"""Values of a token that a block keeps for its gradient, in widths of the model: norms, queries,
keys, values, the attention's output, what linear layers multiply. Counted with torch's
`saved_tensors_hooks`: 8.6 in BERT and GPT-2, 10 in Llama and BART."""
INPUT_WIDTHS = 3
"""Those of them that only the gradients of weights need: frozen layers keep no inputs."""
CROSS_WIDTHS = 6
"""What attention to an encoder's output adds in a decoder's block, counted likewise."""
ENCODED_WIDTHS = 2
"""Keys and values that it makes of each of the encoder's tokens."""
SCORES = 1 / 32
"""Values kept of each pair of positions and head where a processor drops out of attention: the bit
that says whether it was dropped (`hf/kernels/cpu_attention.py`)."""
OUTER_WIDTHS = 3
"""Outside the blocks: embeddings and the last norm."""
LOSS_VALUES = 256 * 50_000
"""Logits that are held at once where the head's weights are trained (`hf/likelihood_loss.py`)."""
PREFERENCE_LOGITS = 7
"""Of the tuned model and of the reference, their logarithms and gradients. Measured with DPO."""
MASKED_SHARE = 0.15
"""Of a text, what is hidden and to be found (Devlin et al. 2019, section 3.1)."""
QUANTIZED_BYTES = {"8bit": 1.0, "4bit": 0.52}
"""A weight with its share of the scales, which are quantised too (Dettmers et al. 2023)."""
STATE_BYTES = {"adafactor": 0.02, "sgd": 0.0, "adamw_bnb_8bit": 2.1}
"""Of an optimizer, for each trained number; Adam's two moments are 8."""


class Memory(NamedTuple):
    """Bytes by what they hold. `total` adds the libraries and the allocator's reserve.

    Gradients come as activations go: `gradients` is what they take beyond that room.
    """

    weights: int
    optimizer: int
    gradients: int
    activations: int
    total: int


class Batch(NamedTuple):
    """The largest batch of a run: how many rows, their tokens, and those of their answers where
    a decoder has these for itself. `seen`: how many tokens attention joins, in the mean."""

    rows: int
    tokens: float
    answer_tokens: float
    seen: float


class Count(NamedTuple):
    """How many numbers the model has, how many are trained, and how many of these lie beside it."""

    total: int
    trained: int
    added: int
    copied: int = 0
    """Of the base, how many numbers each step makes anew, for rows of theirs are trained."""


def memory_of(
    config: RunConfig, base: ModelShapes, task: str, batch: Batch, count: Count
) -> Memory:
    """Trained weights are fp32, whatever else is."""
    weights = int(base_bytes(config, base, count) + 4 * count.added)
    optimizer = int(STATE_BYTES.get(config.training.optim, 8) * count.trained)
    copies = count.copied * (width_of_values(config) + 4)  # and their gradient
    activations = int(activation_bytes(config, base, task, batch) + copies)
    gradients = max(0, 4 * count.trained - activations)
    parts = (weights, optimizer, gradients, activations)
    total = PROCESS_BYTES + int((HIGH_WATER - 1) * activations) + sum(parts)
    processes = 1 if has_gpu() else config.training.devices  # which share a machine's memory
    return Memory(*(processes * part for part in (*parts, total)))


def width_of_values(config: RunConfig) -> int:
    """Bytes of a value that is computed: half as wide on a GPU, unless it is told otherwise."""
    precision = config.model.precision
    narrow = precision != "fp32" if has_gpu() else precision == "bf16"
    return 2 if narrow else 4


def base_bytes(config: RunConfig, base: ModelShapes, count: Count) -> float:
    """Frozen weights are as wide as used, the linear layers of a quantized model narrower."""
    width = width_of_values(config) if config.tuning.keeps_base else 4
    linear = sum(layer.inputs * layer.outputs for layer in base.linear_layers())
    few = QUANTIZED_BYTES.get(config.model.quantization, width)
    return (count.total - linear) * width + linear * few


def activation_bytes(config: RunConfig, base: ModelShapes, task: str, batch: Batch) -> float:
    """What is kept of a batch for its gradient. With gradient checkpointing that is what goes
    into each block, and all of one block at a time."""
    sizes, frozen = Sizes.of(base), config.tuning.keeps_base
    encoder, decoder = block_values(sizes, batch, frozen=frozen)
    tokens = batch.rows * batch.tokens
    answers = batch.rows * batch.answer_tokens
    inputs = tokens * sizes.layers + answers * sizes.decoder_layers
    blocks = encoder * sizes.layers + decoder * sizes.decoder_layers
    width = width_of_values(config)
    mean_tokens = inputs / (sizes.layers + sizes.decoder_layers)
    adapters = 4 * mean_tokens * config.tuning.kept_values(base)  # they compute in fp32
    outer = OUTER_WIDTHS * (tokens + answers) * sizes.width
    loss = 4 * loss_values(config, sizes, task, tokens + answers)
    if config.model.gradient_checkpointing and config.tuning.checkpoints_gradients:
        one = adapters / (sizes.layers + sizes.decoder_layers) + width * max(encoder, decoder)
        return width * (inputs * sizes.width + outer) + one + loss
    return width * (blocks + outer) + adapters + loss


def block_values(sizes: Sizes, batch: Batch, *, frozen: bool) -> tuple[float, float]:
    """Values that are kept in a block of the encoder, or the only kind there is, and in one of
    the decoder."""
    unneeded = (INPUT_WIDTHS * sizes.width + sizes.inner) * frozen
    a_token = BLOCK_WIDTHS * sizes.width + sizes.inner_kept * sizes.inner - unneeded
    a_pair = SCORES * sizes.heads * (sizes.drops_attention and not has_gpu())
    tokens, answers = batch.rows * batch.tokens, batch.rows * batch.answer_tokens
    encoder = tokens * (a_token + a_pair * batch.seen)
    crossing = answers * CROSS_WIDTHS * sizes.width + tokens * ENCODED_WIDTHS * sizes.width
    joined = a_pair * (batch.answer_tokens + batch.tokens)
    return encoder, answers * (a_token + joined) + crossing


def loss_values(config: RunConfig, sizes: Sizes, task: str, positions: float) -> float:
    """Logits that live at once. Preference losses, which are TRL's, have those of all positions,
    several times over."""
    if task in CLASSES:
        return 0
    if task == "preference":
        return PREFERENCE_LOGITS * positions * sizes.vocabulary
    if config.tuning.keeps_base and not has_gpu():
        return 0  # they are made in small tiles
    learned = MASKED_SHARE if task == "masked_lm" else 1
    return min(LOSS_VALUES, learned * positions * sizes.vocabulary)
