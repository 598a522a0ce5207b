"""What every opened model has: weights, tokenizer, task, and adapters that lie on a base."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import torch
from peft import PeftModel
from pydantic import JsonValue

from maxaillm.dev.finetune.config import Precision, RunConfig
from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.errors import DataError, FineTuneError, ModelError
from maxaillm.dev.finetune.hf import loading
from maxaillm.dev.finetune.hf.batches.chat_template import Tools
from maxaillm.dev.finetune.hf.generation.answer_parts import Part
from maxaillm.dev.finetune.hf.generation.streaming import Finish
from maxaillm.dev.finetune.hf.loading.precision import choose_precision, weights_dtype
from maxaillm.dev.finetune.hf.loading.vocabulary import fit_vocabulary
from maxaillm.dev.finetune.hf.training.tasks import ModelTask, model_task
from maxaillm.dev.finetune.model_files.folder import check_adapter
from maxaillm.dev.finetune.tasks import TASKS
from maxaillm.model.sampling import SamplingOptions
from maxaillm.model.source import find_source, laid, require_base, require_weights

Messages = Sequence[Mapping[str, Any]]
"""Turns, each with role and content; also with tool_calls, tool_call_id, reasoning_content."""


class Usage(NamedTuple):
    """What an answer took, and why it ended."""

    prompt_tokens: int
    completion_tokens: int
    finish_reason: Finish
    judgement: dict[str, JsonValue] | None = None  # of a model that judges: as its `answer`


Pieces = Generator[str, None, Usage]
Parts = Generator[Part, None, Usage]


class Adapter(NamedTuple):
    """Where an adapter lies, and its kind: PEFT's type, and whether it has rows of embeddings."""

    folder: Path
    kind: str


class PromptTooLongError(FineTuneError):
    """The prompt leaves no room for an answer."""

    code = "prompt_too_long"


class LoadedModel(ABC):
    """A model that is ready for its task.

    `model_name` is a starter model, a folder (base, tuned or adapter) or a Hub name. The base
    of an adapter is `base`, else what the adapter's run or the adapter itself names; `any_base`
    lets it be another one than the adapter was trained on.
    `max_length` bounds what the model sees, in tokens. `precision` is fp32, bf16, fp16, or auto:
    whichever is quickest here; figures that are compared with others need fp32.
    """

    tasks: ClassVar[frozenset[str]]
    """What the class opens models for."""
    lacks: ClassVar[str]
    """What it says of other models."""

    def __init__(
        self,
        model_name: str | Path,
        device: str = "auto",
        max_length: int = 512,
        *,
        base: str | Path | None = None,
        any_base: bool = False,
        precision: Precision = "auto",
    ) -> None:
        source = find_source(model_name, base, any_base=any_base)
        self.any_base = any_base
        self.base_folder, adapter, self.card = source
        self.require_task()
        self.device = loading.choose_device(available(device))
        config = RunConfig.parse({"model": {"name": self.base_folder.name}, "task": self.card.task})
        self.task = model_task(self.card.opens_as)(config)
        self.task.recall(self.card)
        self.tokenizer = loading.load_tokenizer(adapter or self.base_folder)
        self.precision = possible(precision, self.device)
        opened = loading.load_model(
            self.base_folder,
            weights_dtype(self.precision, frozen=True),
            self.task.auto_class,
            **self.task.model_options(),
        )
        require_weights(source, opened.fresh)
        opened.tell_unused(lambda said, hint: warnings.warn(f"{said} {hint}", stacklevel=2))
        fit_vocabulary(opened.model, self.tokenizer)
        self.model: Any = opened.model.to(self.device).eval()
        self.task.prepare_model(self.model, self.tokenizer)
        self.asked_length, self.context = max_length, loading.context_length(self.model)
        self.adapters: dict[str, Adapter] = {}
        self.adapter: str | None = None
        self.laid_kind = ""
        if adapter:
            self.add_adapter("default", adapter)
            self.set_adapter("default")

    @property
    def max_length(self) -> int:
        """The most tokens that may be shown; an adapter's virtual tokens take room of theirs."""
        if self.context is None:
            return self.asked_length
        taken = 0
        if self.adapter and self.model.active_peft_config.is_prompt_learning:
            taken = int(self.model.active_peft_config.num_virtual_tokens)
        return min(self.asked_length, self.context - taken)

    def require_task(self) -> None:
        """Raises ModelError where the model is for another kind of task."""
        if self.card.opens_as not in self.tasks:
            raise ModelError(
                f"{self.base_folder.name} is for {self.card.task}: {self.lacks}.",
                "Choose another model, or open it with maxaillm.model.opening.open_model.",
            )

    def task_for(self, kind: type[Example]) -> ModelTask:
        """What measures the model on examples of a kind: one that chats can also be asked which
        of two answers it prefers. Raises DataError where the examples are for other models."""
        pipeline = TASKS[self.card.task].pipeline
        able = [name for name, task in TASKS.items() if task.pipeline == pipeline]
        name = next((name for name in able if name in kind.tasks), None)
        if name is None:
            raise DataError(
                f"A model for {self.card.task} can't be measured on {kind.plural}.",
                "Choose other data, or a model that was tuned on such rows.",
            )
        if name == self.task.name:
            return self.task
        return model_task(name)(self.task.config.model_copy(update={"task": name}), kind)

    @abstractmethod
    def prompt_length(self, prompt: str | Messages) -> int:
        """How many tokens of a prompt the model would be shown."""

    @abstractmethod
    def stream(
        self,
        prompt: str | Messages,
        sampling: SamplingOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        tools: Tools | None = None,
    ) -> Pieces:
        """What the model makes of a prompt, piece by piece, for a person to read; the generator
        returns the Usage. `tools`: what it may call."""

    def parts(
        self,
        prompt: str | Messages,
        sampling: SamplingOptions | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        tools: Tools | None = None,
    ) -> Parts:
        """The same for a program: thoughts, text and calls of `tools` told apart."""
        return as_parts(self.stream(prompt, sampling, should_stop, tools))

    @abstractmethod
    def answer(
        self, prompt: str, pair: str | None = None, sampling: SamplingOptions | None = None
    ) -> dict[str, JsonValue]:
        """What the model makes of a prompt, for a program to read."""

    def load_adapter(self, name: str, folder: Path) -> None:
        """Lay the adapter in `folder` on this base. Raises OtherBaseError where it belongs on
        another one."""
        require_base(folder, self.base_folder, any_base=self.any_base)
        self.add_adapter(name, folder)

    def add_adapter(self, name: str, folder: Path) -> None:
        """Lay an adapter that is known to belong here."""
        settings = check_adapter(folder)
        rows = " with rows" if settings.get("trainable_token_indices") else ""
        self.adapters[name] = Adapter(folder, f"{settings.get('peft_type')}{rows}")
        self.lay(name)

    def lay(self, name: str) -> None:
        """PEFT lays adapters of one kind on a base: those of another are taken off, and laid
        again when they are asked for."""
        folder, kind = self.adapters[name]
        if isinstance(self.model, PeftModel) and self.laid_kind != kind:
            self.model = bare(self.model)
        self.laid_kind = kind
        self.model = laid(self.model, folder, name).eval()

    def set_adapter(self, name: str | None) -> None:
        """Answer with an adapter, or with the bare base."""
        self.adapter = name
        if name is not None and name not in getattr(self.model, "peft_config", {}):
            self.lay(name)
        if (
            not isinstance(self.model, PeftModel)
            or self.model.active_peft_config.is_prompt_learning
        ):
            if name is not None:
                self.model.set_adapter(name)
        elif name is None:
            self.model.base_model.disable_adapter_layers()
        else:
            self.model.base_model.enable_adapter_layers()
            self.model.set_adapter(name)

    @property
    def answering(self) -> Any:
        """The model as `set_adapter` wants it: the bare base takes no virtual tokens."""
        has_prompts = isinstance(self.model, PeftModel) and self.adapter is None
        return self.model.get_base_model() if has_prompts else self.model

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter, to free its memory."""
        del self.adapters[name]
        laid = getattr(self.model, "peft_config", {})
        if list(laid) == [name]:
            self.model = bare(self.model)
        elif name in laid:
            self.model.delete_adapter(name)


def as_parts(stream: Pieces) -> Parts:
    """All of it as text."""
    return mapped(stream, lambda text: [Part("text", text)])


def mapped(stream: Pieces, parts_of: Callable[[str], Iterable[Part]]) -> Parts:
    """The parts that each piece brings."""
    with closing(stream):
        while True:
            try:
                text = next(stream)
            except StopIteration as end:
                return cast(Usage, end.value)
            yield from parts_of(text)


def bare(model: PeftModel) -> Any:
    """The base without its adapters."""
    if model.active_peft_config.is_prompt_learning:
        return model.get_base_model()
    return model.base_model.unload()


def available(device: str) -> str:
    if device.startswith("cuda") and not torch.cuda.is_available():
        warnings.warn("There is no CUDA device here: the model runs on the CPU.", stacklevel=3)
        return "cpu"
    return device


def possible(precision: Precision, device: torch.device) -> str:
    chosen = choose_precision(precision, device)
    if precision not in {"auto", chosen}:
        warnings.warn(f"There is no {precision} on this device: {chosen} it is.", stacklevel=3)
    return chosen
