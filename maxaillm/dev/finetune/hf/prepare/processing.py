"""Data processors of other packages: rows made by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.reading.processor import DataProcessor, RawRow
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.batches.rows import IGNORED, Tokens
from maxaillm.dev.finetune.hf.batches.tokenise import Encoder


class ProcessorEncoder(Encoder):
    """Calls `preprocess_function` and takes its padding away again, which batches add anew.

    `aligned`: labels lie at the tokens, as in causal models; else they are another text.
    """

    def __init__(
        self, processor: DataProcessor, tokenizer: Tokenizer, width: int, *, aligned: bool
    ) -> None:
        super().__init__(tokenizer, width)
        self.processor, self.aligned = processor, aligned

    def rows_of(self, batch: list[tuple[int, Any]]) -> Iterator[Tokens]:
        rows = [row.row for _, row in batch if isinstance(row, RawRow)]
        made = self.made_of(rows)
        ids, labels = made["input_ids"], made["labels"]
        masks = made.get("attention_mask") or [[1] * len(row) for row in ids]
        for (number, _), tokens, said, mask in zip(batch, ids, labels, masks, strict=True):
            used = [bool(value) for value in mask]
            seen = [token for token, is_used in zip(tokens, used, strict=True) if is_used]
            yield from self.kept(self.shortened(Tokens(seen, self.learned(said, used), number)))

    def made_of(self, rows: list[dict[str, Any]]) -> dict[str, list[list[int]]]:
        """What the processor gives for some rows. Raises DataError where that can't be used."""
        columns = {name: [row.get(name) for row in rows] for name in rows[0]}
        name = type(self.processor).__name__
        try:
            made = dict(self.processor.preprocess_function(columns))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"The data processor {name} failed: {type(error).__name__}: {error}",
                f"The columns of the file are {', '.join(columns)}.",
                code="processor",
            ) from error
        lacking = {"input_ids", "labels"} - made.keys()
        if lacking:
            raise DataError(
                f"The data processor {name} gave no {' and no '.join(sorted(lacking))}.",
                "preprocess_function must return input_ids and labels.",
                code="processor",
            )
        return made

    def learned(self, labels: list[int], used: list[bool]) -> list[int]:
        """Labels without padding; a first token of a causal model is never learned."""
        pad = self.tokenizer.pad_token_id
        if not self.aligned:
            return [label for label in labels if label not in {pad, IGNORED}]
        if len(labels) != len(used):
            raise DataError(
                "The data processor gave labels of another length than input_ids.",
                "In a causal model each token has its label; -100 where none is learned.",
                code="processor",
            )
        pairs = zip(labels, used, strict=True)
        kept = [IGNORED if label == pad else label for label, is_used in pairs if is_used]
        return [IGNORED, *kept[1:]]
