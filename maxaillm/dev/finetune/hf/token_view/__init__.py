"""What the model will see of a dataset in a run, before the run: tokens, states, figures.

Needs the tokenizer and `config.json` of a model, not its weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.config.compatibility import resolve_defaults
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import DataError
from maxaillm.dev.finetune.hf.loading import TEXT_FILES, context_length, download, load_tokenizer
from maxaillm.dev.finetune.hf.loading.shell import shell_of
from maxaillm.dev.finetune.hf.prepare.base_model import visible_width
from maxaillm.dev.finetune.hf.prepare.data import make_encoder, survey, training_examples
from maxaillm.dev.finetune.hf.token_view.examples import FileExamples, Placed
from maxaillm.dev.finetune.hf.token_view.rows import Seen, TwofoldEncoder
from maxaillm.dev.finetune.hf.token_view.summary import Progress, Summary
from maxaillm.dev.finetune.hf.token_view.text import special_ids, texts_of
from maxaillm.dev.finetune.hf.training.tasks import ModelTask
from maxaillm.dev.finetune.model_files.folder import check_files, find_folder, read_json
from maxaillm.dev.finetune.tasks import TASKS, may_pack

SURVEYED_ROWS = 1000


class TokenView:
    """The rows of a configuration as its training would have them."""

    def __init__(self, config: RunConfig, places: Sequence[int] = ()) -> None:
        """With `places`, only these rows are of interest: a large file is not read as a whole.

        Raises ConfigError, DataError, ModelError where such a run could not begin, ProviderError
        where the model can't be looked into.
        """
        config.provider.require_local_models("How a model reads a row")
        folder = open_folder(config.model.name)
        settings = read_json(folder / "config.json")
        task = surveyed(config, settings, places)
        self.config = resolve_defaults(config, task.kind, settings)
        self.task = task.under(self.config)
        self.task.check_model(config.model.name, settings)
        self.tokenizer = load_tokenizer(folder)
        self.warnings: list[str] = []
        shell = shell_of(folder, self.task.auto_class)
        self.context = context_length(shell)
        self.width = visible_width(self.config, shell, self.warn)
        self.examples = FileExamples(self.config)
        self.special = special_ids(self.tokenizer)
        self.packs = may_pack(self.task.name, settings)

    @property
    def name(self) -> str:
        return str(self.config.task)

    def warn(self, message: str, hint: str) -> None:
        self.warnings.append(f"{message} {hint}")

    def twofold(self) -> TwofoldEncoder:
        encoder = make_encoder(self.config, self.task, self.tokenizer, self.width)
        return TwofoldEncoder(self.task, self.tokenizer, encoder)

    def summary(
        self, sample: int = 0, on_progress: Progress = lambda share: None
    ) -> dict[str, JsonValue]:
        """The figures of all rows, or of a sample of about so many of them."""
        data = self.config.data
        packed = data.packing and self.packs and self.config.tuning.packs
        chosen = self.examples.sample(sample)
        found = Summary(self.twofold(), chosen, on_progress)
        return {
            "task": self.name,
            "task_label": TASKS[self.name].label,
            "remark": self.task.remark,
            "max_length": data.max_length,
            "visible_length": self.width,
            "context_length": self.context,
            "warnings": list(self.warnings),
            **found.as_json(packed=packed),
        }

    def rows(self, places: Sequence[int]) -> list[dict[str, JsonValue]]:
        """The rows at these places, counted from 1, token by token."""
        return [self.row(placed) for placed in self.examples.at(places)]

    def row(self, placed: Placed) -> dict[str, JsonValue]:
        twofold = self.twofold()
        (encoded,) = twofold.encode([placed.example])
        dropped = "" if encoded.rows else next(iter(twofold.encoder.dropped), "")
        return {
            "row": placed.place,
            "number": placed.number,
            "split": placed.example.split,
            "left_out": dropped,
            "why_left_out": f"{dropped} {twofold.encoder.hints.get(dropped, '')}".strip(),
            "is_divided": encoded.is_divided,
            "length": encoded.length,
            "streams": [self.stream(seen) for seen in twofold.seen(encoded)],
        }

    def stream(self, seen: Seen) -> dict[str, JsonValue]:
        ids, words = seen.stream.ids, seen.stream.words
        texts = texts_of(self.tokenizer, ids)
        tokens: list[Any] = [
            {"text": text, "id": int(token), "state": state, "special": int(token) in self.special}
            for text, token, state in zip(texts, ids, seen.states, strict=True)
        ]
        for token, word in zip(tokens, words, strict=False):
            if word:
                token["says"] = word
        counts: dict[str, Any] = {
            state: seen.states.count(state) for state in ("trained", "context", "cut")
        }
        return {"title": seen.stream.title, "says": seen.stream.said, "tokens": tokens, **counts}


def surveyed(config: RunConfig, settings: dict[str, Any], places: Sequence[int]) -> ModelTask:
    """The task; of single rows it need not know which labels others have."""
    if not places:
        return survey(config, settings)

    def some() -> Iterator[Example]:
        yield from islice(training_examples(config), SURVEYED_ROWS)
        yield from (placed.example for placed in FileExamples(config).at(places))

    try:
        return survey(config, settings, some)
    except DataError:  # all of the first rows may be of one class
        return survey(config, settings)


def open_folder(name: str) -> Path:
    """The folder of a model, with its files checked; of a Hub name all but the weights."""
    folder = find_folder(name) or download(name, TEXT_FILES)
    check_files(folder)
    return folder
