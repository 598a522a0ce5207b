"""Classification of words: names in a text, parts of speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForTokenClassification, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.examples.token_labels import TokenLabels
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.batches.collate import Sequences, eval_batches
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Rows, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder, Numbered
from maxaillm.dev.finetune.hf.loading.label_names import known_labels, label_options
from maxaillm.dev.finetune.hf.training.tasks import Examples, ModelTask, Objective, Observed, Stream
from maxaillm.dev.finetune.losses import TargetLoss
from maxaillm.dev.finetune.metrics import Classified, TokenLoss
from maxaillm.dev.finetune.model_files.card import TaskCard


class TagEncoder(Encoder):
    """Words as the dataset has them. The first piece of a word carries its tag (Devlin et al.
    2019, section 5.3), so that each word is learned and counted once."""

    def __init__(self, tokenizer: Tokenizer, width: int, tags: Sequence[str]) -> None:
        super().__init__(tokenizer, width)
        self.numbers = {tag: number for number, tag in enumerate(tags)}

    def rows_of(self, batch: list[Numbered]) -> Iterator[Tokens]:
        tagged = [
            (number, example) for number, example in batch if isinstance(example, TokenLabels)
        ]
        self.drop("The row has no tags.", len(batch) - len(tagged))
        if not tagged:
            return
        words = [example.tokens for _, example in tagged]
        encoded = self.tokens_of(
            words, is_split_into_words=True, truncation=True, max_length=self.width
        )
        for line, (number, example) in enumerate(tagged):
            owners = encoded.word_ids(line)
            last = max((word for word in owners if word is not None), default=-1)
            self.cut += last + 1 < len(example.tokens)
            labels = [
                self.number_of(example.tags[word], number)
                if word is not None and word != before
                else IGNORED
                for before, word in zip([None, *owners], owners, strict=False)
            ]
            yield from self.kept(Tokens(encoded.input_ids[line], labels, number))

    def number_of(self, tag: str, row: int) -> int:
        if tag in self.numbers:
            return self.numbers[tag]
        raise DataError(
            f"Row {row + 1} has the tag {tag!r:.80}, which no training row has.",
            f"Known are: {', '.join(list(self.numbers)[:12])}. Correct it, or train on it too.",
            code="unseen_label",
        )


class TokenClassification(ModelTask):
    name: ClassVar[str] = "token_classification"
    auto_class: ClassVar[Any] = AutoModelForTokenClassification
    new_head: ClassVar[bool] = True

    labels: Sequence[str] = ()

    def survey(self, examples: Examples, settings: Mapping[str, Any]) -> None:
        counts: Counter[str] = Counter()
        for example in examples():
            if isinstance(example, TokenLabels):
                counts.update(example.tags)
        self.labels = known_labels(settings, counts)

    def recall(self, card: TaskCard) -> None:
        self.labels = card.labels

    def model_options(self) -> dict[str, Any]:
        return label_options(self.labels)

    def prepare_model(self, model: PreTrainedModel, tokenizer: Tokenizer) -> None:
        model.config.use_cache = False  # nothing is generated; T5's encoder alone refuses it

    def encoder(self, tokenizer: Tokenizer, width: int) -> Encoder:
        encoder = TagEncoder(tokenizer, width, self.labels)
        return encoder.under(self.config.data)

    def streams(self, row: Tokens) -> list[Stream]:
        words = ["" if label == IGNORED else self.labels[int(label)] for label in row.labels]
        return [plain._replace(words=words) for plain in super().streams(row)]

    def training_loss(self, rows: Rows) -> TargetLoss:
        learned = rows.labels.values[rows.labels.values != IGNORED]
        counts = np.bincount(learned, minlength=len(self.labels))
        return super().training_loss(rows).for_classes(self.labels, counts.tolist())

    def objective(
        self, model: PreTrainedModel, loss: TargetLoss, dtype: torch.dtype | None = None
    ) -> Objective:
        def summed(model: nn.Module, inputs: dict[str, Any], labels: Tensor) -> Tensor:
            logits, targets, _ = classified(model, inputs, labels)
            return loss.total(logits, targets)

        return summed

    def observe(
        self, model: PreTrainedModel, sequences: Sequences, tokenizer: Tokenizer, batch_size: int
    ) -> Observed:
        count, loss = len(sequences.rows), self.own_loss
        losses, predictions = [TokenLoss(0.0, 0)] * count, [list[Classified]()] * count
        collator = self.collator(sequences.rows, tokenizer)
        for batch in eval_batches(sequences, collator, batch_size):
            inputs = {name: value.to(model.device) for name, value in batch.items()}
            labels, rows = inputs.pop("labels"), inputs.pop("rows")
            logits, targets, at = classified(model, inputs, labels)
            owners = rows[at]
            for row in torch.unique(owners).tolist():
                own = owners == row
                total = float(loss.total(logits[own], targets[own]))
                losses[row] = TokenLoss(total, int(own.sum()))
                shares = logits[own].softmax(-1).tolist()
                predictions[row] = [
                    Classified(share, label)
                    for share, label in zip(shares, targets[own].tolist(), strict=True)
                ]
        return Observed(losses, predictions)

    def reply(self, model: Any, tokenizer: Tokenizer, prompt: str, max_new_tokens: int) -> str:
        """Each word with its class."""
        words = prompt.split()
        encoded = tokenizer([words], is_split_into_words=True, return_tensors="pt")
        owners = encoded.word_ids(0)
        tags = model(**encoded.to(model.device)).logits[0].argmax(-1)[-len(owners) :].tolist()
        first = dict(reversed(list(zip(owners, tags, strict=True))))
        return " ".join(
            f"{word}/{self.labels[first[n]]}" for n, word in enumerate(words) if n in first
        )


def classified(
    model: nn.Module, inputs: Mapping[str, Any], labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits and targets where a word begins, and where that is."""
    logits = model(**inputs).logits[:, -labels.shape[1] :]  # after virtual tokens
    at = labels != IGNORED
    return logits[at].float(), labels[at], at


TASK = TokenClassification
