"""Saving a tuned model: a folder that is complete. An adapter's own configuration alone says where
on this machine its base lies, for PEFT looks there; cards and exports have its public name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm import __version__
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.model_files.card import FILE, TaskCard, classifier_card, labels_of
from maxaillm.dev.finetune.model_files.folder import is_hub_name, is_path, read_json
from maxaillm.dev.finetune.model_files.identity import digest_of
from maxaillm.dev.finetune.tasks import TASKS
from maxaillm.dev.finetune.tasks.names import CLASSES

CARD = """\
---
base_model: {base}
library_name: {library}
pipeline_tag: {pipeline}
tags: [{method}]
---
# {name}

Tuned from `{base}` with {label} by MaxFT {version}: {steps} steps, seed {seed}.

| option | value |
|---|---|
{options}

Validation: {scores}.
"""
GROWN = """
Its tokenizer has tokens that the base has no rows for. With PEFT alone, call
`base.resize_token_embeddings({rows})` before the adapter is opened.
"""


def save_tuned(
    model: Any,
    tokenizer: Tokenizer,
    folder: Path,
    config: RunConfig,
    summary: dict[str, Any],
    base_folder: Path,
) -> Path:
    """Model or adapter, tokenizer, chat template, generation settings and cards, in one rename."""
    staged = folder.with_name(f".{folder.name}")
    shutil.rmtree(staged, ignore_errors=True)
    base = base_name(config)
    adapters = getattr(model, "peft_config", {})
    for adapter in adapters.values():
        on_hub = is_hub_name(config.model.name)
        adapter.base_model_name_or_path = base if on_hub else str(base_folder.resolve())
    model.config.use_cache = bool(model.can_generate())
    # PEFT would look the base up, on the Hub too, to see whether its vocabulary has changed
    model.save_pretrained(staged, **{"save_embedding_layers": False} if adapters else {})
    if model.can_generate():
        model.generation_config.save_pretrained(staged)
    tokenizer.save_pretrained(staged)
    told = task_card(model, config, base)
    if adapters:
        told = told.model_copy(update={"base_digest": digest_of(base_folder)})
    (staged / FILE).write_text(told.model_dump_json(), encoding="utf-8")
    text = card(config, base, summary)
    if adapters and len(tokenizer) > rows_in(base_folder):
        text += GROWN.format(rows=model.get_input_embeddings().weight.shape[0])
    (staged / "README.md").write_text(text, encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    staged.rename(folder)
    return folder


def rows_in(base_folder: Path) -> int:
    """For how many tokens a base has rows, by its configuration."""
    settings = read_json(base_folder / "config.json")
    return int(settings.get("vocab_size") or sys.maxsize)


def base_name(config: RunConfig) -> str:
    """The base as it was named; of a folder only its last part, which tells nothing private
    and, written as a path, is not taken for a name on the Hub."""
    name = config.model.name
    return f"./{Path(name).expanduser().resolve().name}" if is_path(name) else name


def task_card(model: Any, config: RunConfig, base: str) -> TaskCard:
    """What the model is for, as its own configuration has it since it was opened."""
    task = config.task or "causal_lm"
    settings = model.config.to_dict()
    about = TaskCard(task=task)
    if task in CLASSES:
        about = classifier_card(task, labels_of(settings), settings)
    return about.model_copy(update={"max_length": config.data.max_length, "base": base})


def card(config: RunConfig, base: str, summary: dict[str, Any]) -> str:
    options = {
        **config.tuning.model_dump(exclude={"name"}),
        "learning_rate": config.learning_rate,
        **config.training.model_dump(include={"num_train_epochs", "per_device_train_batch_size"}),
        "max_length": config.data.max_length,
    }
    scores = ", ".join(f"{name} {said(value)}" for name, value in summary["scores"].items())
    return CARD.format(
        base=base,
        pipeline=TASKS[config.task or "causal_lm"].pipeline,
        library="peft" if config.tuning.keeps_base else "transformers",
        method=config.tuning.name,
        name=" ".join((config.name or f"{base} tuned").split()),
        label=config.tuning.label,
        version=__version__,
        steps=summary["steps"],
        seed=config.training.seed,
        options="\n".join(f"| {name} | {value} |" for name, value in options.items()),
        scores=scores or "none measured",
    )


def said(value: float | list[float]) -> str:
    """A figure, or the interval that it lies in."""
    return " to ".join(f"{part:.4g}" for part in (value if isinstance(value, list) else [value]))
