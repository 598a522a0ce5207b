"""Rows of a run: read, tokenised, counted, and some of them held out."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.components.plugins import processors
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.compatibility import resolve_defaults
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.reading.examples import Tell, has_split
from maxaillm.dev.finetune.data.reading.processor import read_raw_rows
from maxaillm.dev.finetune.data.reading.wrapped_text import read_documents
from maxaillm.dev.finetune.data.rows.splits import EVERY_SPLIT, Split
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.batches.rows import Rows
from maxaillm.dev.finetune.hf.batches.tokenise import LOOK, Encoder, Tokenised, require_rows
from maxaillm.dev.finetune.hf.prepare import token_cache
from maxaillm.dev.finetune.hf.prepare.processing import ProcessorEncoder
from maxaillm.dev.finetune.hf.training.tasks import Examples, ModelTask, model_task
from maxaillm.dev.finetune.run.attempt import Attempt


def survey(
    config: RunConfig, settings: Mapping[str, Any], examples: Examples | None = None
) -> ModelTask:
    """The task asked for, else the one that the training file and the model are for, with what
    it has to know of the file, or of some `examples`, before the model is opened.

    Raises DataError.
    """
    if not config.data.train_file:
        raise DataError("No training file is given.", "Set data.train_file.")
    kind: type[Example] = Conversation
    if config.data.processor is None:
        source = Path(config.data.train_file).name
        first = next(iter(training_examples(config)), None)
        if first is None:
            raise DataError(f"{source} has no rows.", "Choose a file with rows in it.")
        kind = type(first)
    config = resolve_defaults(config, kind, settings)
    task = model_task(str(config.task))(config, kind)
    task.survey(examples or (lambda: training_examples(config)), settings)
    return task


def training_examples(config: RunConfig) -> Iterator[Example]:
    """What the training file has for training."""
    examples = read_documents(str(config.data.train_file), options=config.data.reading)
    return (example for example in examples if example.split in {None, "train"})


class RunData:
    """Turns the files of a configuration into rows for a task; says what it cut."""

    def __init__(
        self,
        config: RunConfig,
        task: ModelTask,
        tokenizer: Tokenizer,
        attempt: Attempt,
        width: int,
    ) -> None:
        self.config, self.task, self.tokenizer = config, task, tokenizer
        self.attempt, self.width = attempt, width
        self.told: set[str] = set()
        """What was said of a file already: one that holds two splits is read twice."""

    def prepare(self) -> tuple[Tokenised, Rows, Rows | None]:
        """What the training file gave, the rows to train on, and those held out, if any.

        Raises DataError where nothing can be learned.
        """
        data, source = self.config.data, Path(str(self.config.data.train_file))
        found = self.tokenise(source, {None, "train"}, "training rows")
        if data.validation_file:
            return found, found.rows, self.held_out(Path(data.validation_file))
        if has_split(source, "validation", data.reading):
            return found, found.rows, self.held_out(source, {"validation"})
        share = data.share_held_out(len(found.rows))
        if share and len(found.rows) > 1:
            rows, held = found.rows.hold_out(share, self.config.training.seed)
            return found, rows, held
        self.attempt.warn(
            "No rows are held out: the validation loss is not measured.",
            "Set data.validation_share or data.validation_file.",
        )
        return found, found.rows, None

    def held_out(self, path: Path, splits: Container[Split | None] = EVERY_SPLIT) -> Rows:
        return self.tokenise(path, splits, "validation rows").rows

    def tokenise(
        self, path: Path, splits: Container[Split | None] = EVERY_SPLIT, words: str = ""
    ) -> Tokenised:
        """The rows of a file that it puts into one of `splits`; None: into no split by name.

        `words` is what they are called; a file may have a name that tells nobody anything.
        """
        found = self.encode(path, splits)
        words = words or f"rows of {path.name}"
        require_rows(found, words)
        for message, hint in found.beside.items():
            if message not in self.told:
                self.told.add(message)
                self.attempt.warn(message, hint)
        if found.cut:
            self.attempt.warn(
                f"{found.cut:,} of {found.seen:,} {words} were cut to {self.width:,} tokens"
                + (f": {found.lost:,} tokens are lost." if found.lost else "."),
                "Raise data.max_length to keep them whole, or split them into several rows.",
            )
        for reason, count in found.dropped.most_common(3):
            self.attempt.warn(
                f"{count:,} of {found.seen:,} {words} were left out: {reason}",
                found.hints.get(reason, LOOK),
            )
        for what, count in found.in_texts.items():
            self.attempt.warn(
                f"The chat template has no place for {what}: in {count:,} of {found.seen:,} "
                f"{words} they stand in a text.",
                "Choose a model whose template writes them; prompts are written in the same way.",
            )
        if found.partial:
            self.attempt.warn(
                f"{found.partial:,} answers in the {words} have a weight that is neither 0 nor 1: "
                "it counts as 1.",
                "Write 0 or 1; repeat a row that is to count more.",
            )
        return found

    def encode(self, path: Path, splits: Container[Split | None]) -> Tokenised:
        """Made anew, or as an earlier run has left it; what a data processor does is its own."""
        encoder, check_stop = self.encoder(), self.attempt.check_stop
        read = self.read(path, encoder.beside.setdefault)
        examples = (example for example in read if example.split in splits)
        if self.config.data.processor or path.stat().st_size < token_cache.WORTHWHILE_BYTES:
            return encoder.encode(examples, check_stop)
        key = token_cache.key_of(path, splits, encoder, self.config)
        return token_cache.TokenCache().encode(key, encoder, examples, check_stop)

    def read(self, path: Path, tell: Tell) -> Iterator[Any]:
        data = self.config.data
        if data.processor:
            return read_raw_rows(path, data.reading)
        return read_documents(path, tell, data.reading)

    def encoder(self) -> Encoder:
        return make_encoder(self.config, self.task, self.tokenizer, self.width)


def make_encoder(config: RunConfig, task: ModelTask, tokenizer: Tokenizer, width: int) -> Encoder:
    """The task's own way to make rows, or that of the data processor named."""
    name = config.data.processor
    if name is None:
        return task.encoder(tokenizer, width)
    processor = processors.load(name)(tokenizer, width)
    return ProcessorEncoder(processor, tokenizer, width, aligned=task.aligned)
