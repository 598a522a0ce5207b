"""Models that stay loaded between answers: bases as memory allows, adapters on top of them."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.inference_queue.requests import Request
from jobs.models import LanguageModel
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.errors import FineTuneError, ModelError, OutOfMemoryError
from maxaillm.dev.finetune.model_files.card import read_card

if TYPE_CHECKING:
    from maxaillm.model.loaded import LoadedModel, Parts

IDLE_SECONDS = 600
MAX_CONTEXT = 8192
"""Longer chats lose their beginning, whatever the model could take: memory is shared."""
BUDGET_SHARE = 0.4
"""Of the device's memory; trainings need theirs. One model is always loaded, however large."""
MAX_ADAPTERS = 8
"""Adapters kept on one base; they are small."""
LEAST_ROOM = 4
"""At least a quarter of the context, or what was asked for, stays free for the answer."""
logger = logging.getLogger(__name__)


class Source(NamedTuple):
    """What is loaded for a model, as its row says."""

    name: str
    adapter: str | None
    """What is laid on it."""
    base: str | None = None
    """What it lies on itself: an adapter with a head of its own shares its base with none."""


def source_of(model: LanguageModel) -> Source:
    """Raises ModelError where the row, or the disk, lacks a part."""
    if model.kind != LanguageModel.Kind.ADAPTER:
        return Source(model.source, None)
    if not model.base_source:
        raise ModelError(f"{model} has no base model that can be loaded.", "Choose another model.")
    if not Path(model.source).is_dir():
        raise ModelError(f"The files of {model} are gone.", "Tune it again, or choose another.")
    if read_card(Path(model.source)).writes:
        return Source(model.base_source, model.source)
    return Source(model.source, None, model.base_source)


class LoadedBase:
    """A loaded base and the adapters that lie on it."""

    def __init__(self, llm: LoadedModel) -> None:
        self.llm = llm
        self.size_bytes = int(llm.model.get_memory_footprint())
        self.adapters: OrderedDict[str, str] = OrderedDict()
        self.count = 0
        self.used = time.monotonic()

    def use_adapter(self, folder: str | None) -> None:
        """Switch to the adapter in `folder`, or to none."""
        if folder is not None and folder not in self.adapters:
            if len(self.adapters) == MAX_ADAPTERS:
                self.llm.unload_adapter(self.adapters.popitem(last=False)[1])
            self.count += 1
            self.llm.load_adapter(f"adapter_{self.count}", Path(folder))
            self.adapters[folder] = f"adapter_{self.count}"
        if folder is not None:
            self.adapters.move_to_end(folder)
        self.llm.set_adapter(self.adapters[folder] if folder else None)


class Speech(NamedTuple):
    """An answer about to be made."""

    parts: Parts
    dropped_messages: int


class ModelCache:
    """Loaded bases, the longest unused first; together they keep within `budget_bytes`."""

    def __init__(self, device: str, budget_bytes: int = 0) -> None:
        self.device, self.budget_bytes = device, budget_bytes
        self.bases: OrderedDict[str, LoadedBase] = OrderedDict()

    def prepare(self) -> None:
        """Import what takes seconds, so that the first answer does not wait for it."""
        from maxaillm.dev.finetune.hf import loading
        from maxaillm.dev.finetune.hf.loading import memory
        from maxaillm.model import loaded

        loading.set_threads()
        device = loading.choose_device(loaded.available(self.device))
        self.budget_bytes = self.budget_bytes or int(memory.total_bytes(device) * BUDGET_SHARE)

    def has(self, model: LanguageModel) -> bool:
        return source_of(model).name in self.bases

    def speak(
        self, model: LanguageModel, request: Request, should_stop: Callable[[], bool]
    ) -> Speech:
        """Get ready to answer. Raises ModelError, OutOfMemoryError, PromptTooLongError."""
        from maxaillm.model.loaded import as_parts

        require_possible(request)
        messages, options = request.messages, request.options
        source = source_of(model)
        with memory_refusal_said(model):
            base = self.bases.get(source.name) or self.load(source, needed_bytes(model))
            if source.base is None:
                base.use_adapter(source.adapter)
        base.used = time.monotonic()
        self.bases.move_to_end(source.name)
        kept = list(messages)
        if request.may_cut:
            kept = cut_to_fit(base.llm, messages, options.max_new_tokens)
        asked = (turns_of(kept), options, should_stop, request.tools)
        parts = base.llm.parts(*asked) if request.is_split else as_parts(base.llm.stream(*asked))
        return Speech(memory_watched(model, parts), len(messages) - len(kept))

    def load(self, source: Source, needed: int) -> LoadedBase:
        """Load what is to stay; others go first where the memory would not hold both."""
        from maxaillm.model.opening import open_model

        while self.bases and self.size_bytes + needed > self.budget_bytes:
            self.unload(next(iter(self.bases)))
        logger.info("Loading %s", source.name)
        opened = open_model(source.name, source.base, self.device, max_length=MAX_CONTEXT)
        base = self.bases[source.name] = LoadedBase(opened)
        return base

    @property
    def size_bytes(self) -> int:
        return sum(base.size_bytes for base in self.bases.values())

    def unload(self, name: str) -> None:
        from maxaillm.dev.finetune.hf.loading.memory import release

        logger.info("Unloading %s", name)
        del self.bases[name]
        release()

    def unload_idle(self) -> None:
        """Give back the memory of what nobody chatted with for a while."""
        oldest = time.monotonic() - IDLE_SECONDS
        for name in [name for name, base in self.bases.items() if base.used < oldest]:
            self.unload(name)


def require_possible(request: Request) -> None:
    """Raises FineTuneError for what answers that are made one after the other can't do."""
    options = request.options
    wanted = {
        "an embedding": request.want == "embedding",
        "judgements of several texts": request.want == "judgement",
        "an answer to a bare prompt": request.prompt is not None,
        "a logit bias": bool(options.logit_bias),
        "log probabilities": options.logprobs is not None or request.echo,
        "structured output": options.is_structured,
    }
    for name in (name for name, is_wanted in wanted.items() if is_wanted):
        raise FineTuneError(f"This model can't give {name} here.", "Ask without it.")


def needed_bytes(model: LanguageModel) -> int:
    """What loading will take at most: weights of two bytes may become four."""
    return 2 * model.root.size_bytes


def cut_to_fit(llm: LoadedModel, messages: Sequence[Message], max_new_tokens: int) -> list[Message]:
    """`messages` without the oldest questions and answers, as far as there is no room for them."""
    system = [message for message in messages if message.role == "system"]
    chat = [message for message in messages if message.role != "system"]
    room = llm.max_length - min(max_new_tokens, llm.max_length // LEAST_ROOM)
    while len(chat) > 1:
        if llm.prompt_length(turns_of([*system, *chat])) <= room:
            break
        chat = chat[2:] if chat[1].role == "assistant" else chat[1:]
    return [*system, *chat]


def turns_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [message.model_dump(exclude_none=True) for message in messages]


@contextmanager
def memory_refusal_said(model: LanguageModel) -> Iterator[None]:
    """Turn every kind of exhausted memory into an error with a next step."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch says it with a RuntimeError; naming its class here would import torch.
        is_torch = type(error).__name__ == "OutOfMemoryError" or "can't allocate" in str(error)
        if not isinstance(error, MemoryError) and not is_torch:
            raise
        raise OutOfMemoryError(
            f"There is not enough memory to answer with {model}.",
            "Wait until a training has ended, shorten the chat, or choose a smaller model.",
        ) from error


def memory_watched(model: LanguageModel, parts: Parts) -> Parts:
    with memory_refusal_said(model):
        return (yield from parts)
