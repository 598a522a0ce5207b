"""Models that stay loaded between answers: bases as memory allows, adapters on top of them."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.models import LanguageModel
from maxaillm.dev.finetune.errors import FineTuneError, ModelError, OutOfMemoryError
from maxaillm.dev.finetune.model_files.card import read_card

if TYPE_CHECKING:
    from maxaillm.model.batching.batched_model import BatchedModel
    from maxaillm.model.batching.contract import Answer, Engine
    from maxaillm.model.loaded import LoadedModel

IDLE_SECONDS = 600
MAX_CONTEXT = 8192
"""Longer chats lose their beginning, whatever the model could take: memory is shared."""
BUDGET_SHARE = 0.4
"""Of the device's memory; trainings need theirs. One model is always loaded, however large."""
CACHE_SHARE = 0.1
"""Of that: keys and values of a base's answers, and as much again for its adapters."""
MAX_ADAPTERS = 8
"""Adapters that PEFT keeps on one base, for those that answer one after the other."""
PREPARING = 8
"""Answers that are got ready at once."""
WAIT_SECONDS = 0.2
logger = logging.getLogger(__name__)


class Source(NamedTuple):
    """What is loaded for a model, as its row says."""

    name: str
    adapter: str | None
    """What is laid on it."""
    base: str | None = None
    """What it lies on itself: an adapter with a head of its own shares its base with none."""
    title: str = ""
    """What people call the model."""
    needed_bytes: int = 0
    """What loading will take at most: weights of two bytes may become four."""


def source_of(model: LanguageModel) -> Source:
    """Raises ModelError where the row, or the disk, lacks a part."""
    title, needed_bytes = str(model), 2 * model.root.size_bytes
    if model.kind != LanguageModel.Kind.ADAPTER:
        return Source(model.source, None, None, title, needed_bytes)
    if not model.base_source:
        raise ModelError(f"{model} has no base model that can be loaded.", "Choose another model.")
    if not Path(model.source).is_dir():
        raise ModelError(f"The files of {model} are gone.", "Tune it again, or choose another.")
    if read_card(Path(model.source)).writes:
        return Source(model.base_source, model.source, None, title, needed_bytes)
    return Source(model.source, None, model.base_source, title, needed_bytes)


class LoadedBase:
    """A loaded base, the adapters that lie on it, and what makes its answers: all in one batch
    where the model allows it, else one after the other."""

    def __init__(self, llm: LoadedModel, budget_bytes: int) -> None:
        from maxaillm.model.batching.serial import SerialEngine

        self.llm = llm
        self.weight_bytes = int(llm.model.get_memory_footprint())
        self.serial = SerialEngine()
        self.batched = batched(llm, budget_bytes)
        self.adapters: OrderedDict[str, str] = OrderedDict()
        """Those that PEFT has: folder -> name."""
        self.alone: set[str] = set()
        """Adapters that can't be batched."""
        self.count = 0
        self.holders = 0
        """Answers that need it."""
        self.used = time.monotonic()
        self.lock = threading.Lock()
        """Of the tokenizer, which one thread may use at a time."""

    @property
    def size_bytes(self) -> int:
        if self.batched is None:
            return self.weight_bytes
        slots, pool = self.batched.engine.slots, self.batched.pool
        return self.weight_bytes + slots.count * slots.length * slots.position_bytes + pool.bytes

    @property
    def engines(self) -> list[Engine[Any]]:
        return [self.serial, *([self.batched.engine] if self.batched else [])]

    @property
    def answers(self) -> list[Answer]:
        return [answer for engine in self.engines for answer in engine.answers]

    def step(self) -> None:
        """Bring every answer further. What goes wrong ends those that were being made together."""
        for engine in (engine for engine in self.engines if engine.answers):
            try:
                with memory_refusal_said(self.llm.base_folder.name):
                    engine.step()
            except FineTuneError as error:
                engine.fail(error)

    def leave(self, answer: Answer) -> None:
        for engine in self.engines:
            if answer in engine.answers:
                engine.leave(answer)

    def use_adapter(self, folder: str | None) -> None:
        """Have PEFT switch to the adapter in `folder`, or to none."""
        if folder is not None and folder not in self.adapters:
            if len(self.adapters) == MAX_ADAPTERS:
                self.llm.unload_adapter(self.adapters.popitem(last=False)[1])
            self.count += 1
            self.llm.load_adapter(f"adapter_{self.count}", Path(folder))
            self.adapters[folder] = f"adapter_{self.count}"
        if folder is not None:
            self.adapters.move_to_end(folder)
        self.llm.set_adapter(self.adapters[folder] if folder else None)


def batched(llm: LoadedModel, budget_bytes: int) -> BatchedModel | None:
    """None where the model can't be batched."""
    from maxaillm.model.batching.attention import UnbatchableError
    from maxaillm.model.batching.batched_model import BatchedModel
    from maxaillm.model.llm import MaxHuggingFaceLLM

    if not isinstance(llm, MaxHuggingFaceLLM) or llm.adapter is not None:
        return None
    with suppress(UnbatchableError):
        return BatchedModel(llm, budget_bytes)
    return None


class ModelCache:
    """Loaded bases, the longest unused first; together they keep within `budget_bytes`.

    Bases are got ready by any thread, one at a time, and used by the worker's own.
    """

    def __init__(self, device: str, budget_bytes: int = 0) -> None:
        self.device, self.budget_bytes = device, budget_bytes
        self.bases: OrderedDict[str, LoadedBase] = OrderedDict()
        self.lock, self.loading = threading.RLock(), threading.Lock()
        self.is_closed = False
        self.threads = ThreadPoolExecutor(PREPARING, thread_name_prefix="prepare")
        """Those that get answers ready. They live as long as this: the child that renders
        templates ends with the thread that started it."""

    def prepare(self) -> None:
        """Import what takes seconds, so that the first answer does not wait for it."""
        from maxaillm.dev.finetune.hf import loading
        from maxaillm.dev.finetune.hf.loading import memory
        from maxaillm.model import loaded
        from maxaillm.model.batching import batched_model

        assert batched_model
        loading.set_threads()
        device = loading.choose_device(loaded.available(self.device))
        self.budget_bytes = self.budget_bytes or int(memory.total_bytes(device) * BUDGET_SHARE)

    def close(self) -> None:
        """Get nothing more ready."""
        self.is_closed = True
        self.threads.shutdown(wait=False, cancel_futures=True)

    def has(self, model: LanguageModel) -> bool:
        return source_of(model).name in self.bases

    def hold(self, source: Source) -> LoadedBase:
        """The loaded base, which stays until it is `released`. Raises ModelError."""
        base = self.held(source.name)
        if base is None:
            with self.loading:
                base = self.held(source.name) or self.load(source)
        return base

    def held(self, name: str) -> LoadedBase | None:
        with self.lock:
            base = self.bases.get(name)
            if base is not None:
                base.holders += 1
                base.used = time.monotonic()
                self.bases.move_to_end(name)
            return base

    def release(self, base: LoadedBase) -> None:
        with self.lock:
            base.holders -= 1
            base.used = time.monotonic()

    def load(self, source: Source) -> LoadedBase:
        """Load what is to stay; others go first where the memory would not hold both, once they
        have answered."""
        from maxaillm.model.opening import open_model

        self.make_room(source.needed_bytes)
        logger.info("Loading %s", source.name)
        opened = open_model(source.name, source.base, self.device, max_length=MAX_CONTEXT)
        base = LoadedBase(opened, int(self.budget_bytes * CACHE_SHARE))
        base.holders = 1
        with self.lock:
            self.bases[source.name] = base
        return base

    def make_room(self, needed: int) -> None:
        while self.bases and self.size_bytes + needed > self.budget_bytes:
            with self.lock:
                idle = next((name for name, base in self.bases.items() if not base.holders), None)
                if idle is not None:
                    self.unload(idle)
            if self.is_closed:
                raise FineTuneError("The site was stopped meanwhile.", "Ask again.")
            if idle is None:
                time.sleep(WAIT_SECONDS)

    @property
    def size_bytes(self) -> int:
        with self.lock:
            return sum(base.size_bytes for base in self.bases.values())

    def unload(self, name: str) -> None:
        from maxaillm.dev.finetune.hf.loading.memory import release

        logger.info("Unloading %s", name)
        del self.bases[name]
        release()

    def unload_idle(self) -> None:
        """Give back the memory of what nobody chatted with for a while."""
        oldest = time.monotonic() - IDLE_SECONDS
        with self.lock:
            idle = [name for name, b in self.bases.items() if not b.holders and b.used < oldest]
            for name in idle:
                self.unload(name)


@contextmanager
def memory_refusal_said(model: Any) -> Iterator[None]:
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
