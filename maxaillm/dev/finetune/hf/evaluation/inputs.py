"""Evaluation inputs: held-out rows from whatever holds them, and a model's logits at each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    EvalPrediction,
    PreTrainedModel,
)
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, DataError, OutOfMemoryError, Problem
from maxaillm.dev.finetune.hf.batches.collate import Sequences
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, require_rows
from maxaillm.dev.finetune.hf.evaluation.evaluator import EvaluationFile
from maxaillm.dev.finetune.hf.loading import context_length
from maxaillm.dev.finetune.hf.training.dataset import TaskDataset
from maxaillm.dev.finetune.hf.training.packed_pairs import decoder_inputs
from maxaillm.dev.finetune.hf.training.tasks import ModelTask, model_task
from maxaillm.dev.finetune.hf.training.token_loss import measuring
from maxaillm.dev.finetune.model_files.card import TaskCard, labels_of
from maxaillm.dev.finetune.tasks.names import CLASSES

Array = npt.NDArray[Any]


def held_out(
    dataset: Any, name: str, model: PreTrainedModel, tokenizer: Tokenizer, width: int
) -> tuple[ModelTask, Sequences]:
    """A dataset's rows as a task has them, and the task. Raises DataError where there are none."""
    if isinstance(dataset, TaskDataset):
        if dataset.task.name != name:
            message = f"The rows were prepared for {dataset.task.name}."
            raise ConfigError([Problem("task_type", message, name, dataset.task.name)])
        return dataset.task, dataset
    task = task_of(name, model, tokenizer)
    if isinstance(dataset, Sequences):
        return task, dataset
    width = min(width, context_length(model) or width)
    encoder = task.encoder(tokenizer, width)
    if isinstance(dataset, str | Path):
        rows = rows_of_file(Path(dataset), encoder)
    else:
        rows = rows_of_dicts(dataset, encoder, text_follows=task.packs and task.aligned)
    packed = task.packs and task.keeps_rows_apart(model)
    return task, TaskDataset(task, rows, packed=packed, width=width)


def task_of(name: str, model: PreTrainedModel, tokenizer: Tokenizer) -> ModelTask:
    """The task with a model as it is: its labels are those of its head."""
    settings = model.config.to_dict()
    config = RunConfig.parse({"model": {"name": "in memory"}, "task": name})
    task = model_task(name)(config)
    if name in CLASSES:
        labels = labels_of(settings)
        single = "regression" if len(labels) == 1 else "single_label_classification"
        problem = settings.get("problem_type") or single
        task.recall(TaskCard(task=name, labels=labels, problem=problem))
        task.prepare_model(model, tokenizer)
    return task


def rows_of_file(path: Path, encoder: Encoder) -> Rows:
    found = encoder.encode(EvaluationFile(path).examples())
    require_rows(found, f"rows of {path.name}")
    return found.rows


def rows_of_dicts(
    dataset: Iterable[Mapping[str, Any]], encoder: Encoder, *, text_follows: bool
) -> Rows:
    """Of rows of any format that files may have, or of rows of tokens.

    `text_follows`: each token is said by those before it, so that the first is not learned.
    """
    if isinstance(dataset, Mapping):
        raise DataError(
            f"The dataset has parts: {', '.join(map(str, dataset))}.", "Give one of them."
        )
    rows = [dict(row) for row in dataset]
    if rows and "input_ids" in rows[0]:
        made = (tokens_of(row, number, text_follows) for number, row in enumerate(rows))
        return Rows.of(made, floats=encoder.floats)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "eval_dataset.jsonl"
        path.write_text("\n".join(json.dumps(row, default=str) for row in rows), encoding="utf-8")
        return rows_of_file(path, encoder)


def tokens_of(row: Mapping[str, Any], number: int, text_follows: bool) -> Tokens:  # noqa: FBT001
    """A row that somebody tokenised; without labels, all of it is learned. Padding never is."""
    ids = np.asarray(row["input_ids"])
    used = np.asarray(row.get("attention_mask", np.ones_like(ids))).astype(bool)
    labels = np.atleast_1d(np.asarray(row.get("labels", row.get("label", ids))))
    if len(labels) == len(ids):
        labels = labels[used]
        labels[: int(text_follows)] = IGNORED
    return Tokens(ids[used].tolist(), labels.tolist(), number)


def predictions_of(
    task: ModelTask, data: Sequences, model: PreTrainedModel, tokenizer: Tokenizer, batch_size: int
) -> EvalPrediction:
    """Logits and labels of all rows, as transformers' Trainer hands them to compute_metrics.

    Two things are done already: the logits of a causal model stand at the label that they are
    for, and rows are in their order. Raises OutOfMemoryError where they are too many.
    """
    parts: list[tuple[Array, Array]] = []
    with measuring(model):
        for logits, labels in said_and_right(task, data, model, tokenizer, batch_size):
            parts.append((logits.float().cpu().numpy(), labels.cpu().numpy()))
            require_memory([part.nbytes for part, _ in parts], len(data.rows) // batch_size)
    said, right = zip(*parts, strict=True)
    return EvalPrediction(predictions=joined(said, 0.0), label_ids=joined(right, IGNORED))


def said_and_right(
    task: ModelTask, data: Sequences, model: PreTrainedModel, tokenizer: Tokenizer, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch by batch, in the order of the rows."""
    collator = task.collator(data.rows, tokenizer)
    for start in range(0, len(data.rows), batch_size):
        numbers = range(start, min(start + batch_size, len(data.rows)))
        batch = collator([[row] for row in numbers])
        inputs = {n: v.to(model.device) for n, v in batch.items() if n not in {"tokens", "rows"}}
        labels = inputs.pop("labels")
        if inputs["input_ids"].dim() > 2:
            message = f"A row of {task.name} is several texts: no function of one's own takes that."
            raise DataError(message, "Name registered metrics only.")
        if task.auto_class is AutoModelForSeq2SeqLM:
            inputs["decoder_input_ids"] = decoder_inputs(model, labels)
        logits = model(**inputs).logits
        if logits.dim() == 3:
            logits = logits[:, -labels.shape[1] :]  # after virtual tokens, which have no labels
        if task.auto_class is AutoModelForCausalLM:
            logits, labels = logits[:, :-1], labels[:, 1:]
        yield logits, labels


def require_memory(held_bytes: Sequence[int], batches: int) -> None:
    """Logits of a whole dataset are large: say so before the machine is full."""
    rest = held_bytes[-1] * max(0, batches - len(held_bytes))
    needed = 2 * rest + sum(held_bytes)  # what is to come, and then all of it joined
    free = psutil.virtual_memory().available
    if needed > free:
        raise OutOfMemoryError(
            f"The logits of all rows take {(sum(held_bytes) + rest) / 1e9:.1f} GB: too much.",
            "Measure fewer rows with a function of your own, or name a registered metric.",
        )


def joined(parts: Iterable[Array], filling: float) -> Array:
    """Batches as one array, [rows, longest, ...]; shorter ones are filled up at their ends."""
    arrays = list(parts)
    if arrays[0].ndim < 2:
        return np.concatenate(arrays)
    width = max(part.shape[1] for part in arrays)
    return np.concatenate([widened(part, width, filling) for part in arrays])


def widened(part: Array, width: int, filling: float) -> Array:
    missing = [(0, 0)] * part.ndim
    missing[1] = (0, width - part.shape[1])
    return np.pad(part, missing, constant_values=filling)
