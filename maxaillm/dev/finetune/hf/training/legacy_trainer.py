"""Trainer of older versions of transformers, for programs written against them or for our data.

The specification's own examples are such programs: arguments as a dict, `compute_loss` without
the number of items, datasets that `prepare_data` gave.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
import transformers
from transformers import TrainingArguments

from maxaillm.dev.finetune.config.legacy_names import DROPPED
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.hf.batches.collate import Collator, Sequences
from maxaillm.dev.finetune.hf.training.dataset import TaskDataset

RENAMED = {
    "evaluation_strategy": "eval_strategy",
    "gradient_checkpointing": "activation_checkpointing",
    "no_cuda": "use_cpu",
}
KNOWN = frozenset(field.name for field in fields(TrainingArguments))


class Trainer(transformers.Trainer):  # type: ignore[misc]
    """As transformers' own; besides, `args` may be a dict in the words of any version, the data
    sets may be those of `prepare_data`, and `compute_loss` may lack `num_items_in_batch`."""

    def __init__(
        self,
        model: Any = None,
        args: TrainingArguments | Mapping[str, Any] | None = None,
        *,
        tokenizer: Any = None,
        **options: Any,
    ) -> None:
        given = args if isinstance(args, TrainingArguments) else training_arguments(args or {})
        dataset = options.get("train_dataset") or options.get("eval_dataset")
        if isinstance(dataset, Sequences) and "data_collator" not in options:
            options["data_collator"] = InputsOnly(dataset, tokenizer)
            given.remove_unused_columns = False
            model.config.use_cache = False  # with a cache, packed rows see each other
        if tokenizer is not None:
            options["processing_class"] = tokenizer
        super().__init__(model, given, **options)
        if "num_items_in_batch" not in inspect.signature(type(self).compute_loss).parameters:
            self.loss_is_scaled_for_ga = False  # it gives a mean, which accumulation divides

    def __getattribute__(self, name: str) -> Any:
        """A `compute_loss` of the old signature is called as it was written."""
        found = super().__getattribute__(name)
        if name != "compute_loss" or "num_items_in_batch" in inspect.signature(found).parameters:
            return found

        def compute_loss(
            model: Any,
            inputs: Any,
            return_outputs: bool = False,  # noqa: FBT001, FBT002 - the Trainer's own signature
            **_: Any,
        ) -> Any:
            return found(model, inputs, return_outputs)

        return compute_loss


class InputsOnly:
    """Batches of our datasets with what a model takes, and nothing besides."""

    def __init__(self, dataset: Sequences, tokenizer: Any) -> None:
        pad = int(getattr(tokenizer, "pad_token_id", None) or 0)
        self.collator = (
            dataset.task.collator(dataset.rows, tokenizer, packed=dataset.packed)
            if isinstance(dataset, TaskDataset) and tokenizer is not None
            else Collator(dataset.rows, pad, packed=dataset.packed)
        )

    def __call__(self, sequences: list[list[int]]) -> dict[str, Any]:
        batch = self.collator(sequences)
        return {name: value for name, value in batch.items() if name not in {"tokens", "rows"}}


def training_arguments(given: Mapping[str, Any]) -> TrainingArguments:
    """TrainingArguments from a dict in the words of any version.

    Warns of each argument that is gone; raises ConfigError for one that never was.
    """
    arguments: dict[str, Any] = {"output_dir": "./results", "report_to": "none"}
    problems = []
    for name, value in given.items():
        current = RENAMED.get(name, name)
        if current in KNOWN:
            arguments[current] = value
        elif name in DROPPED:
            warnings.warn(f"{name} is not used: {DROPPED[name]}", stacklevel=3)
        else:
            message = "TrainingArguments has no argument of this name."
            problems.append(Problem(f"args.{name}", message, str(value)[:200], ""))
    if problems:
        raise ConfigError(problems)
    if not torch.cuda.is_available():
        fit_to_cpu(arguments)
    return TrainingArguments(**arguments)


def fit_to_cpu(arguments: dict[str, Any]) -> None:
    """Leave out what needs a GPU, and say so."""
    arguments["use_cpu"] = True
    for name in ("fp16", "tf32"):
        if arguments.pop(name, False):
            warnings.warn(f"{name} needs a GPU: the run is in fp32.", stacklevel=4)
