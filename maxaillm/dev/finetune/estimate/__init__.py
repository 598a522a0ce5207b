"""What a run will need, from the headers of its files alone: no weights, no torch."""

from __future__ import annotations

from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import JsonValue

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.estimate.about import read_shapes
from maxaillm.dev.finetune.estimate.data import Held, cut_of, look_into, rows_of
from maxaillm.dev.finetune.estimate.earlier_runs import Likeness, correction
from maxaillm.dev.finetune.estimate.machine import available_bytes, has_gpu, speed
from maxaillm.dev.finetune.estimate.memory import (
    STATE_BYTES,
    Count,
    Memory,
    memory_of,
)
from maxaillm.dev.finetune.estimate.model import (
    context_of,
    new_head,
    opened_for,
)
from maxaillm.dev.finetune.estimate.seconds import Parts, seconds_of
from maxaillm.dev.finetune.estimate.tokens import Rows as TokenRows
from maxaillm.dev.finetune.estimate.tokens import token_rows
from maxaillm.dev.finetune.estimate.work import Job, Rows
from maxaillm.dev.finetune.model_files.folder import check_folder, find_folder
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.tasks import choose_task, may_pack

if TYPE_CHECKING:
    from maxaillm.dev.finetune.config import RunConfig
    from maxaillm.dev.finetune.methods import TokenNote


class Estimate(NamedTuple):
    """Figures of a run that has not begun. `seconds` is None where the speed is unknown."""

    trainable_parameters: int
    total_parameters: int
    training_rows: int
    validation_rows: int
    """Held out, so that no step sees them."""
    learning_rate: float
    epochs: float
    """As far as the steps go, where these are given."""
    steps: int
    tokens: int
    memory_bytes: Memory
    available_bytes: int
    fits: bool
    seconds: float | None
    disk_bytes: int
    cut_rows: int
    """Rows that are longer than the maximum length, about: as some rows tell."""
    cut_tokens: int
    """What they lose, in tokens, about."""
    notes: tuple[TokenNote, ...] = ()
    """What becomes of tokens that the base never trained."""

    def as_json(self) -> dict[str, JsonValue]:
        notes: list[JsonValue] = [dict(note._asdict()) for note in self.notes]
        memory = dict(self.memory_bytes._asdict())
        return {**self._asdict(), "memory_bytes": memory, "notes": notes}


class Foreseen(NamedTuple):
    """A run by the formula alone."""

    job: Job
    parameters: Count
    parts: Parts
    notes: tuple[TokenNote, ...]

    @property
    def likeness(self) -> Likeness:
        """What makes other runs like it."""
        job = self.job
        return Likeness(
            job.task, job.config.tuning.name, job.base.model_type, self.parameters.total
        )


def estimate(config: RunConfig, kept: Path | None = None) -> Estimate:
    """What the run will need. `kept`: the folder of caches that tells of earlier runs, where it is
    not the user's own.

    Raises ModelError, DataError; ProviderError where the model can't be looked into.
    """
    said = foresee(config)
    training, count, data = config.training, said.parameters, said.job.data
    steps, batch = said.job.steps, training.per_device_train_batch_size
    sequences = steps * batch * training.devices * training.gradient_accumulation_steps
    written = data.answered if data.answers_apart else 0.0
    tokens = int(sequences * data.filled * (1 + written))
    memory = memory_of(config, said.job.base, said.job.task, data.largest(batch), count)
    available = available_bytes()
    ratios = correction(said.likeness, kept)
    is_known = ratios is not None or not has_gpu()  # a GPU's own speed is not measured here
    return Estimate(
        trainable_parameters=count.trained,
        total_parameters=count.total,
        training_rows=data.number,
        validation_rows=data.held_out,
        learning_rate=said.job.config.learning_rate,
        epochs=steps / steps_an_epoch(config, data.sequences),
        steps=steps,
        tokens=tokens,
        memory_bytes=memory,
        available_bytes=available,
        fits=memory.total <= available,
        seconds=said.parts.corrected(ratios) if is_known else None,
        disk_bytes=disk_of(config, count),
        notes=said.notes,
        cut_rows=round(data.number * data.cut_share),
        cut_tokens=round(data.number * data.cut_tokens),
    )


def foresee(config: RunConfig) -> Foreseen:
    """Raises ModelError, DataError, ProviderError as `estimate` does."""
    config.provider.require_local_models("What a run needs")
    folder = local_folder(config.model.name)
    settings = check_folder(folder)
    held = look_into(config, folder)
    task = config.task or choose_task(held.kind, settings)
    base = opened_for(task, ModelShapes(read_shapes(folder), settings))
    tokens = token_rows(config, base, folder, task, held.tokens)
    count = count_parameters(config, base, new_head(task, base, held.labels), tokens)
    data = training_rows(config, base, task, held)
    config, steps = settle_length(config, data.sequences)
    job = Job(
        config=config.model_copy(update={"task": task}),
        task=task,
        metrics=config.evaluation.metrics or held.kind.tasks.get(task, ()),
        base=base,
        data=data,
        steps=steps,
        trained=count.trained,
    )
    notes = (tokens.note,) if tokens.note else ()
    return Foreseen(job, count, seconds_of(job, speed()), notes)


def count_parameters(config: RunConfig, base: ModelShapes, head: int, rows: TokenRows) -> Count:
    """Every method trains a new head; beside a base that stays as it is, in a copy."""
    method = config.tuning
    trained = method.count_trainable(base) + head + rows.trained
    total = sum(prod(shape) for shape in base.shapes.values()) + head
    return Count(total, trained, trained if method.keeps_base else 0, rows.copied)


def training_rows(config: RunConfig, base: ModelShapes, task: str, held: Held) -> Rows:
    data, method = config.data, config.tuning
    context = context_of(base)
    width = data.max_length
    if context:
        width = min(width, context - method.virtual_tokens)
    apart = task == "seq2seq_lm"
    lengths = rows_of(held, width, answers_apart=apart)
    rows = held.rows * len(lengths) / len(held.lengths)
    share = data.share_held_out(round(rows))
    drawn = 0 if held.validation_rows else round(rows * share)
    packed = data.packing and method.packs and may_pack(task, base.settings)
    return Rows(
        max(1, round(rows) - drawn),
        held.validation_rows or drawn,
        lengths,
        width,
        packed,
        apart,
        *cut_of(held, width, answers_apart=apart),
    )


def steps_an_epoch(config: RunConfig, sequences: int) -> int:
    """Optimizer steps of an epoch, counted as Hugging Face's Trainer does."""
    training = config.training
    batches = ceil(sequences / (training.per_device_train_batch_size * training.devices))
    return max(1, ceil(batches / training.gradient_accumulation_steps))


def settle_length(config: RunConfig, sequences: int) -> tuple[RunConfig, int]:
    """With the number of epochs that so many sequences ask for, where none is given; and the
    optimizer steps of the whole run."""
    an_epoch = steps_an_epoch(config, sequences)
    config = config.for_epochs_of(an_epoch)
    training = config.training
    return config, training.max_steps or ceil((training.num_train_epochs or 1) * an_epoch)


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
