"""Base model of a run: device, task, tokenizer and weights, each checked before it is opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel, set_seed
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.config import RunConfig, deepspeed
from maxaillm.dev.finetune.config.compatibility import resolve_defaults
from maxaillm.dev.finetune.hf import distributed, loading
from maxaillm.dev.finetune.hf.kernels import malloc
from maxaillm.dev.finetune.hf.kernels.packed_attention import take_documents_apart
from maxaillm.dev.finetune.hf.loading import hardware
from maxaillm.dev.finetune.hf.loading.memory import out_of_memory_said
from maxaillm.dev.finetune.hf.loading.precision import weights_dtype
from maxaillm.dev.finetune.hf.loading.vocabulary import fit_vocabulary
from maxaillm.dev.finetune.hf.prepare.data import survey
from maxaillm.dev.finetune.hf.training.tasks import ModelTask
from maxaillm.dev.finetune.model_files.embeddings import listed
from maxaillm.dev.finetune.model_files.folder import check_folder
from maxaillm.dev.finetune.model_files.shapes import ModelShapes
from maxaillm.dev.finetune.run.attempt import Attempt
from maxaillm.dev.finetune.tasks import may_pack


class Base(NamedTuple):
    """A base model, ready for a tuning method, and the configuration as it can be carried out."""

    config: RunConfig
    task: ModelTask
    folder: Path
    device: torch.device
    tokenizer: Tokenizer
    model: PreTrainedModel
    fresh: list[str]
    """Weights that the folder does not hold: those of a new head."""
    new_tokens: list[str]
    """Tokens that were added to the tokenizer, whose rows the model got only now."""
    width: int
    """The most tokens of a row: what is asked for, as far as the model can see."""

    def can_pack(self, attempt: Attempt) -> bool:
        """Whether rows may share a sequence: asked for, and exact with task, method and model."""
        settings = self.model.config.to_dict()
        wanted = self.config.data.packing and self.config.tuning.packs
        if not (wanted and may_pack(self.task.name, settings)):
            return False
        if self.task.keeps_rows_apart(self.model):
            return True
        attempt.warn(
            "Packing is off: rows in one sequence would see each other in this model.",
            "Set data.packing to false to silence this.",
        )
        return False


def open_base(config: RunConfig, attempt: Attempt, surveyed: ModelTask | None = None) -> Base:
    """Settle what is open in `config`, then open tokenizer and weights.

    `surveyed` is the task of data that were read before. Raises ConfigError, DataError,
    ModelError, OutOfMemoryError.
    """
    loading.set_threads()
    device = loading.choose_device()
    if config.model.gradient_checkpointing and device.type == "cpu":
        malloc.give_back_tensors()
    distributed.join(device)
    config = hardware.supported_config(config, device, attempt.warn)
    deepspeed.checked(config)
    folder = loading.fetch(config.model.name)
    settings = check_folder(folder)
    task = surveyed or survey(config, settings)
    config = resolve_defaults(config, task.kind, settings)
    task = task.under(config)
    task.check_model(config.model.name, settings)
    tokenizer = loading.load_tokenizer(folder)
    opened = open_model(config, task, folder, device, attempt)
    task.check_weights(folder.name, opened)
    opened.tell_unused(attempt.warn)
    model = opened.model
    task.prepare_model(model, tokenizer)
    new = fit_vocabulary(model, tokenizer)
    say_grown(config, ModelShapes.of(model), new, attempt)
    width = visible_width(config, model, attempt.warn)
    return Base(config, task, folder, device, tokenizer, model, opened.fresh, new, width)


def say_grown(config: RunConfig, base: ModelShapes, new: list[str], attempt: Attempt) -> None:
    """Say which tokens got rows. Raises ModelError where the method would leave them untrained."""
    config.tuning.require_learning(base, new)
    if new:
        attempt.warn(
            f"The model has no rows for {len(new):,} of the tokenizer's tokens: {listed(new)}. "
            "They get rows, begun at the mean of the others.",
            "To open the adapter with PEFT alone, resize the base's embeddings first.",
        )


def open_model(
    config: RunConfig, task: ModelTask, folder: Path, device: torch.device, attempt: Attempt
) -> loading.Opened:
    """The weights on their device, in as few bits as asked for, with the attention asked for."""
    dtype = weights_dtype(config.model.precision, frozen=config.tuning.keeps_base)
    held = loading.quantization_options(config.model.quantization, dtype, device)
    set_seed(config.training.seed)  # a new head begins with random numbers
    options: dict[str, Any] = {**task.model_options(), **held}
    load = partial(loading.load_model, folder, dtype, task.auto_class, **options)
    with out_of_memory_said(config):
        opened = hardware.with_attention(config.model.attention, load, attempt.warn)
        if not held:  # else it lies there already
            opened.model.to(device)
    take_documents_apart(opened.model)
    return opened


def visible_width(
    config: RunConfig, model: PreTrainedModel, warn: Callable[[str, str], None]
) -> int:
    """How many tokens of a row the model sees; virtual tokens take some of them."""
    wanted, context = config.data.max_length, loading.context_length(model)
    if context is None:
        return wanted
    seen = context - config.tuning.virtual_tokens
    if seen < wanted:
        warn(
            f"The model sees {seen} tokens: longer rows are cut there.",
            f"Set data.max_length to {seen}.",
        )
    return min(wanted, seen)
