"""The rows of a run: read, tokenised, counted, and some of them held out."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.attempt import Attempt
from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.examples import has_split
from maxaillm.dev.finetune.hf.rows import Rows
from maxaillm.dev.finetune.hf.tasks import ModelTask
from maxaillm.dev.finetune.hf.tokenise import Tokenised, require_rows
from maxaillm.dev.finetune.running_text import read_documents
from maxaillm.dev.finetune.splits import EVERY_SPLIT, Split


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

    def prepare(self) -> tuple[Tokenised, Rows, Rows | None]:
        """What the training file gave, the rows to train on, and those held out, if any.

        Raises DataError where nothing can be learned.
        """
        data, source = self.config.data, Path(str(self.config.data.train_file))
        found = self.tokenise(source, {None, "train"})
        if data.validation_file:
            return found, found.rows, self.tokenise(Path(data.validation_file)).rows
        if has_split(source, "validation"):
            return found, found.rows, self.tokenise(source, {"validation"}).rows
        if data.validation_share and len(found.rows) > 1:
            rows, held = found.rows.hold_out(data.validation_share, self.config.training.seed)
            return found, rows, held
        self.attempt.warn(
            "No rows are held out: the validation loss is not measured.",
            "Set data.validation_share or data.validation_file.",
        )
        return found, found.rows, None

    def tokenise(self, path: Path, splits: Container[Split | None] = EVERY_SPLIT) -> Tokenised:
        """The rows of a file that it puts into one of `splits`; None: into no split by name."""
        encoder = self.task.encoder(self.tokenizer, self.width)
        examples = (example for example in read_documents(path) if example.split in splits)
        found = encoder.encode(examples, self.attempt.check_stop)
        require_rows(found, path.name)
        if found.cut:
            self.attempt.warn(
                f"{found.cut} of {found.seen} rows of {path.name} were cut to {self.width} tokens.",
                "Raise data.max_length to keep them whole.",
            )
        return found
