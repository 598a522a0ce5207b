"""Classification of texts: one class, several classes or a number for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.classification import Classification
from maxaillm.dev.finetune.data.examples.multi_label_classification import MultiLabelClassification
from maxaillm.dev.finetune.data.examples.regression import Regression
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.batches.collate import (
    Collator,
    LabelCollator,
    Sequences,
    eval_batches,
)
from maxaillm.dev.finetune.hf.batches.rows import Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Numbered
from maxaillm.dev.finetune.hf.loading.label_names import known_labels, label_options
from maxaillm.dev.finetune.hf.training.tasks import Examples, ModelTask, Objective, Observed, Stream
from maxaillm.dev.finetune.losses import TargetLoss, losses
from maxaillm.dev.finetune.metrics import Classified, Measured, MultiClassified, TokenLoss
from maxaillm.dev.finetune.model_files.card import TaskCard

Kind = type[Example]
"""Classification, MultiLabelClassification or Regression."""
SHOWN_CLASSES = 5


class Problem(NamedTuple):
    """What is said of a text, in the words of transformers, and what it is learned with."""

    name: str
    loss: str


PROBLEMS: Mapping[Kind, Problem] = {
    Classification: Problem("single_label_classification", "cross_entropy"),
    MultiLabelClassification: Problem("multi_label_classification", "binary_cross_entropy"),
    Regression: Problem("regression", "mean_squared_error"),
}


class LabelEncoder(Encoder):
    """A text, or two that are classified together, and what is said of it."""

    def __init__(self, tokenizer: Tokenizer, width: int, kind: Kind, labels: Sequence[str]) -> None:
        super().__init__(tokenizer, width)
        self.kind, self.numbers = kind, {label: number for number, label in enumerate(labels)}
        self.floats = kind is not Classification

    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        fitting: list[tuple[int, Any]] = [(n, e) for n, e in batch if isinstance(e, self.kind)]
        self.drop(f"The row is none of the {self.kind.plural}.", len(batch) - len(fitting))
        for paired in (False, True):
            chosen = [(n, e) for n, e in fitting if (e.pair is not None) is paired]
            if chosen:
                texts = [example.text for _, example in chosen]
                pairs = [str(example.pair) for _, example in chosen] if paired else None
                encoded = self.tokens_of(texts, pairs).input_ids
                cut = self.tokens_of(texts, pairs, truncation=True, max_length=self.width).input_ids
                lost = [len(a) - len(b) for a, b in zip(encoded, cut, strict=True)]
                self.cut, self.lost = self.cut + sum(map(bool, lost)), self.lost + sum(lost)
                for (number, example), ids in zip(chosen, cut, strict=True):
                    if ids:
                        yield Tokens(ids, self.figures(number, example), number)
                    else:
                        self.drop("The text has no tokens.")

    def figures(self, number: int, example: Any) -> list[int] | list[float]:
        if isinstance(example, Regression):
            return [example.score]
        if isinstance(example, Classification):
            return [self.number_of(example.label, number)]
        said = {self.number_of(label, number) for label in example.labels}
        return [float(label in said) for label in range(len(self.numbers))]

    def number_of(self, label: str, row: int) -> int:
        if label in self.numbers:
            return self.numbers[label]
        known = ", ".join(list(self.numbers)[:12])
        raise DataError(
            f"Row {row + 1} has the label {label!r:.80}, which no training row has.",
            f"Known are: {known}. Correct the label, or add rows with it to the training data.",
            code="unseen_label",
        )


class SequenceClassification(ModelTask):
    name: ClassVar[str] = "sequence_classification"
    aligned: ClassVar[bool] = False
    auto_class: ClassVar[Any] = AutoModelForSequenceClassification
    new_head: ClassVar[bool] = True
    learns_tokens: ClassVar[bool] = False

    labels: Sequence[str] = ()

    def survey(self, examples: Examples, settings: Mapping[str, Any]) -> None:
        """Which kind of thing is said, and by which words; a tuned model's own words stay."""
        counts: Counter[str] = Counter()
        kinds: Counter[Any] = Counter()
        for example in examples():
            kinds[type(example)] += 1
            if isinstance(example, Classification):
                counts[example.label] += 1
            elif isinstance(example, MultiLabelClassification):
                counts.update(example.labels)
        self.kind = kinds.most_common(1)[0][0]
        self.labels = () if self.kind is Regression else known_labels(settings, counts)
        if self.kind is Classification and len(self.labels) < 2:
            raise DataError(
                f"All rows have the label {self.labels[0]!r}: there is nothing to tell apart.",
                "Add rows of other classes.",
            )

    def recall(self, card: TaskCard) -> None:
        kinds = {problem.name: kind for kind, problem in PROBLEMS.items()}
        self.kind, self.labels = kinds[card.problem or self.problem.name], card.labels

    @property
    def problem(self) -> Problem:
        return PROBLEMS[self.kind]

    def model_options(self) -> dict[str, Any]:
        options = label_options(self.labels) if self.labels else {"num_labels": 1}
        return options | {"problem_type": self.problem.name}

    def prepare_model(self, model: PreTrainedModel, tokenizer: Tokenizer) -> None:
        model.config.pad_token_id = tokenizer.pad_token_id  # a causal model judges the last token

    def encoder(self, tokenizer: Tokenizer, width: int) -> Encoder:
        encoder = LabelEncoder(tokenizer, width, self.kind, self.labels)
        return encoder.under(self.config.data)

    def streams(self, row: Tokens) -> list[Stream]:
        return [Stream("", row.ids, [False] * len(row.ids), said=self.said_in(row))]

    def said_in(self, row: Tokens) -> str:
        """The labels of a row in words."""
        if self.kind is Regression:
            return f"{row.labels[0]:g}"
        if self.kind is Classification:
            return self.labels[int(row.labels[0])]
        said = [word for word, is_said in zip(self.labels, row.labels, strict=True) if is_said]
        return ", ".join(said) or "none of the classes"

    def collator(self, rows: Rows, tokenizer: Tokenizer, *, packed: bool = False) -> Collator:
        return LabelCollator(rows, int(tokenizer.pad_token_id or 0), by_row=True)

    @property
    def own_loss(self) -> TargetLoss:
        loss = losses[self.problem.loss](name=self.problem.loss)
        assert isinstance(loss, TargetLoss)
        return loss

    def training_loss(self, rows: Rows) -> TargetLoss:
        chosen = super().training_loss(rows)
        if self.kind is not Classification:
            return chosen
        counts = np.bincount(rows.labels.values, minlength=len(self.labels))
        return chosen.for_classes(self.labels, counts.tolist())

    def objective(
        self, model: PreTrainedModel, loss: TargetLoss, dtype: torch.dtype | None = None
    ) -> Objective:
        def summed(model: nn.Module, inputs: dict[str, Any], labels: Tensor) -> Tensor:
            return loss.total(self.logits(model, inputs), labels)

        return summed

    def logits(self, model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
        """[rows, classes], or [rows] where it is one number."""
        logits: Tensor = model(**inputs).logits.float()
        return logits.squeeze(-1) if self.kind is Regression else logits

    def observe(
        self, model: PreTrainedModel, sequences: Sequences, tokenizer: Tokenizer, batch_size: int
    ) -> Observed:
        count, loss = len(sequences.rows), self.own_loss
        losses_, predictions = [TokenLoss(0.0, 1)] * count, [None] * count
        collator = self.collator(sequences.rows, tokenizer)
        for batch in eval_batches(sequences, collator, batch_size):
            inputs = {name: value.to(model.device) for name, value in batch.items()}
            labels, rows = inputs.pop("labels"), inputs.pop("rows").tolist()
            logits = self.logits(model, inputs)
            for line, row in enumerate(rows):
                one = slice(line, line + 1)
                total = float(loss.total(logits[one], labels[one]))
                losses_[row] = TokenLoss(total, labels[one].numel())
                predictions[row] = self.prediction(logits[line], labels[line])
        return Observed(losses_, predictions)

    def prediction(self, logits: Tensor, label: Tensor) -> Any:
        if self.kind is Regression:
            return Measured(float(logits), float(label))
        if self.kind is Classification:
            return Classified(logits.softmax(-1).tolist(), int(label))
        return MultiClassified(logits.sigmoid().tolist(), label.int().tolist())

    def reply(self, model: Any, tokenizer: Tokenizer, prompt: str, max_new_tokens: int) -> str:
        """The class or the classes with their probabilities, or the number."""
        logits = self.logits(model, tokenizer(prompt, return_tensors="pt").to(model.device))[0]
        if self.kind is Regression:
            return f"{float(logits):.4g}"
        shares = logits.softmax(-1) if self.kind is Classification else logits.sigmoid()
        order = shares.argsort(descending=True)[:SHOWN_CLASSES].tolist()
        return ", ".join(f"{self.labels[label]} {float(shares[label]):.1%}" for label in order)


TASK = SequenceClassification
