"""MaxPEFTFineTuning: tuning by an adapter, as the specification calls it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.errors import ConfigError, Problem
from maxaillm.dev.finetune.estimate import settle_length
from maxaillm.dev.finetune.providers.hugging_face import MaxHuggingFaceFineTuning
from maxaillm.dev.finetune.run.attempt import Attempt

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from maxaillm.dev.finetune.hf.training.dataset import TaskDataset


class MaxPEFTFineTuning(MaxHuggingFaceFineTuning):
    """Trains an adapter on datasets that are given to `train`, and returns the model."""

    def __init__(
        self, config: RunConfig | Mapping[str, Any], attempt: Attempt | None = None
    ) -> None:
        super().__init__(config, attempt)
        if not self.config.tuning.keeps_base:
            name = self.config.tuning.name
            message = f"{name} changes the base model: it makes no adapter."
            raise ConfigError([Problem("tuning.name", message, name, "give a peft_config")])

    def train(  # type: ignore[override]
        self, train_dataset: Any = None, eval_dataset: Any = None, **given: Any
    ) -> PreTrainedModel:
        """Train on what `prepare_data` of any fine-tuner gave, on a file, or on rows.

        Rows are dicts, or a `datasets.Dataset`. Returns the tuned model.
        """
        train = self.adopt(train_dataset, "train.jsonl")
        held_out = None if eval_dataset is None else self.adopt(eval_dataset, "validation.jsonl")
        self.config, self.steps = settle_length(self.config, len(train))
        self.task, self.rows = self.task.under(self.config), train.rows
        model, tokenizer = self.configure_model()
        trainer = super().train(model, tokenizer, train, held_out, **given)
        tuned: PreTrainedModel = trainer.model
        return tuned

    def adopt(self, dataset: Any, name: str) -> TaskDataset:
        """A dataset as sequences that suit this run's model and method."""
        from maxaillm.dev.finetune.hf.training.dataset import TaskDataset

        if isinstance(dataset, TaskDataset):
            self.surveyed = self.surveyed or dataset.task
            rows = dataset.rows
        else:
            rows = self.read(self.as_file(dataset, name)).rows
        self.load()
        packed = self.base.can_pack(self.attempt)
        return TaskDataset(self.task, rows, packed=packed, width=self.base.width)

    def read(self, path: Path) -> Any:
        """The rows of a file; the first file read settles the task."""
        from maxaillm.dev.finetune.hf.prepare.data import RunData

        if self.config.data.train_file is None:
            self.use_files(path, None)
        self.load()
        base = self.base
        data = RunData(base.config, base.task, base.tokenizer, self.attempt, base.width)
        return data.tokenise(path)

    def as_file(self, dataset: str | Path | Iterable[Mapping[str, Any]], name: str) -> Path:
        """Rows in a file of the attempt, so that they are checked like any other data."""
        if isinstance(dataset, str | Path):
            return Path(dataset)
        path = self.attempt.folder.root / name
        lines = (json.dumps(dict(row), ensure_ascii=False) + "\n" for row in dataset)
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def save_adapter(self, path: str | Path) -> Path:
        """The adapter alone, with tokenizer and card; it needs its base to be used."""
        return self.save_model(path=path)
