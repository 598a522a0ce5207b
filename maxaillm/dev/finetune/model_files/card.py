"""What a saved model says of itself: its task, its labels, its base. No weights are opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.folder import check_adapter, read_header, read_json
from maxaillm.dev.finetune.tasks import TASKS, architectures
from maxaillm.dev.finetune.tasks.names import CLASSES

FILE = "task.json"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
Problem = Literal["single_label_classification", "multi_label_classification", "regression"]
HEADS = {
    "ForSequenceClassification": "sequence_classification",
    "ForTokenClassification": "token_classification",
    "ForMaskedLM": "masked_lm",
    "ForConditionalGeneration": "seq2seq_lm",
    "ForCausalLM": "causal_lm",
    "LMHeadModel": "causal_lm",
}
"""How the names of transformers' classes end."""
HEAD_WEIGHT = re.compile(r"(^|\.)(score|classifier|classifier\.out_proj)\.weight$")
"""The matrix with a row for each class, as PEFT saves it beside an adapter."""


class TaskCard(BaseModel):
    """Written beside every tuned model: an adapter's own files name neither task nor labels."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: str
    labels: list[str] = []
    """In the order of the head's outputs; none where a number is predicted, or words."""
    problem: Problem | None = None
    """What is said of a text that is classified, in the words of transformers."""
    max_length: int | None = Field(None, ge=1)
    """The most tokens of a row in training."""
    base: str | None = None
    """What was tuned; of a folder only its last part."""
    base_digest: str | None = None
    """Of what an adapter was trained on (`identity.digest_of`)."""

    @field_validator("task")
    @classmethod
    def is_known(cls, task: str) -> str:
        if task not in TASKS:
            raise ValueError(f"the task {task!r:.60} is not known")
        return task

    @property
    def writes(self) -> bool:
        """Whether its answers are texts; else it judges them."""
        return TASKS[self.task].pipeline in {"text-generation", "text2text-generation"}

    @property
    def opens_as(self) -> str:
        """The task whose kind of model this is: a model that learned from preferences chats."""
        pipeline = TASKS[self.task].pipeline
        return next(name for name, task in TASKS.items() if task.pipeline == pipeline)


def read_card(folder: Path, base: Path | None = None) -> TaskCard:
    """What the model in `folder` is for: by its card, else by what its files tell. An adapter
    without a card may need the folder of its base. Raises ModelError."""
    if (folder / FILE).is_file():
        return written_card(folder / FILE)
    if (folder / ADAPTER_CONFIG).is_file():
        return card_of_adapter(folder, base)
    return card_of_settings(folder.name, read_json(folder / "config.json"))


def written_card(path: Path) -> TaskCard:
    try:
        return TaskCard.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{path.name} in {path.parent.name} is damaged: {where}: {first['msg']}",
            "Save the model again, or delete the file where config.json names the labels.",
        ) from None


def card_of_adapter(folder: Path, base: Path | None) -> TaskCard:
    """By PEFT's name of the task; the labels are the base's where they are as many."""
    named = check_adapter(folder).get("task_type")
    task = next((name for name, task in TASKS.items() if task.peft_name == named and named), None)
    settings = read_json(base / "config.json") if base else {}
    if task is None:
        return card_of_settings(base.name if base else folder.name, settings)
    if task not in CLASSES:
        return TaskCard(task=task)
    labels = labels_of(settings)
    count = head_size(folder) or len(labels)
    if count != len(labels):
        labels = generic_labels(count)
    return classifier_card(task, labels, settings)


def card_of_settings(name: str, settings: Mapping[str, Any]) -> TaskCard:
    """By the class that transformers would open, and the labels in its settings."""
    kinds = architectures(settings)
    for ending, task in HEADS.items():
        if any(kind.endswith(ending) for kind in kinds):
            if task in CLASSES:
                return classifier_card(task, labels_of(settings), settings)
            return TaskCard(task=task)
    what = kinds[0] if kinds else "of no known kind"
    raise ModelError(f"{name} is {what}, which has no task yet.", "Tune it first.")


def classifier_card(task: str, labels: list[str], settings: Mapping[str, Any]) -> TaskCard:
    if task == "token_classification":
        return TaskCard(task=task, labels=labels)
    problem = problem_of(settings.get("problem_type"), len(labels))
    return TaskCard(task=task, labels=[] if problem == "regression" else labels, problem=problem)


def problem_of(named: object, count: int) -> Problem:
    """As named, else as transformers has it: one output is a number."""
    if named == "multi_label_classification":
        return "multi_label_classification"
    if named == "regression" or count == 1:
        return "regression"
    return "single_label_classification"


def labels_of(settings: Mapping[str, Any]) -> list[str]:
    """All labels in a `config.json`; transformers leaves two that have no names out."""
    named = settings.get("id2label")
    if not isinstance(named, Mapping):
        return generic_labels(2)
    try:
        return [str(named[key]) for key in sorted(named, key=int)]
    except ValueError:
        raise ModelError(
            "id2label in config.json does not number the labels.", "Correct the file."
        ) from None


def generic_labels(count: int) -> list[str]:
    """What transformers calls labels that have no names."""
    return [f"LABEL_{number}" for number in range(count)]


def head_size(adapter: Path) -> int:
    """How many classes the head has that lies beside an adapter; 0: there is none."""
    header = read_header(adapter / ADAPTER_WEIGHTS)
    shapes = [entry.get("shape") for name, entry in header.items() if HEAD_WEIGHT.search(name)]
    return next((int(shape[0]) for shape in shapes if isinstance(shape, list) and shape), 0)
