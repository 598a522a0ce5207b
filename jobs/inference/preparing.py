"""From a request to an answer that can be made: what may take long, in threads of its own.

Loading a model, rendering a chat template and reading a schema must not hold up the answers that
are being made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.inference.model_cache import LoadedBase, ModelCache, Source, memory_refusal_said
from jobs.inference_queue.requests import Outcome, Request, Usage
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.errors import FineTuneError

if TYPE_CHECKING:
    from maxaillm.model.batching.adapter_files import LoraAdapter
    from maxaillm.model.batching.contract import Answer
    from maxaillm.model.batching.serial import SerialAnswer
    from maxaillm.model.llm import MaxHuggingFaceLLM
    from maxaillm.model.loaded import LoadedModel, Parts

LEAST_ROOM = 4
"""At least a quarter of the context, or what was asked for, stays free for the answer."""


class NotSupportedError(FineTuneError):
    """The model can't do what is asked, whoever asks."""

    code = "not_supported"
    status = 400


class Prepared(NamedTuple):
    """An answer about to be made on a base that is held for it."""

    base: LoadedBase
    answer: Answer
    join: Callable[[], None]
    """Has it made; to be called by the thread that makes answers."""
    dropped_messages: int = 0


def prepare(models: ModelCache, source: Source, request: Request) -> Prepared | Outcome:
    """An answer to be made, or what needed no making. Raises FineTuneError."""
    with memory_refusal_said(source.title):
        base = models.hold(source)
        try:
            made = Preparation(base, source, request).made()
        except BaseException:
            models.release(base)
            raise
        if isinstance(made, Outcome):
            models.release(base)
        return made


class Preparation:
    """One request and the base that is to answer it."""

    def __init__(self, base: LoadedBase, source: Source, request: Request) -> None:
        self.base, self.source, self.request = base, source, request

    def made(self) -> Prepared | Outcome:
        from maxaillm.model.classifier import Classifier
        from maxaillm.model.llm import MaxHuggingFaceLLM

        llm = self.base.llm
        if isinstance(llm, Classifier) and self.request.texts:
            with self.base.lock:
                return self.told(llm)
        if self.request.texts:
            raise NotSupportedError(
                "This model writes text: it gives no embeddings and judges nothing.",
                "Choose an encoder, such as a classifier.",
            )
        if isinstance(llm, MaxHuggingFaceLLM):
            batched = self.batched(llm)
            if batched is not None:
                return batched
        return self.serial()

    def told(self, llm: Any) -> Outcome:
        """Embeddings, or judgements, of several texts in batches."""
        texts, cut = self.request.texts, llm.cut
        rows = [llm.tokens_of(text) for text in texts]
        usage = Usage(prompt_tokens=sum(map(len, rows)))
        if self.request.want == "embedding":
            return Outcome(status="done", usage=usage, embedding=llm.embed(rows))
        written = [text if isinstance(text, str) else llm.tokenizer.decode(text) for text in texts]
        judgements = [
            {**llm.as_json(said), "cut": len(row) >= llm.max_length and llm.cut > cut}
            for said, row in zip(llm.predict(written), rows, strict=True)
        ]
        return Outcome(status="done", usage=usage, judgements=judgements)

    def batched(self, llm: MaxHuggingFaceLLM) -> Prepared | None:
        """None where the model, or its adapter, answers one after the other."""
        from maxaillm.model.batching.batched_model import Shape

        batched, request = self.base.batched, self.request
        if batched is None:
            return None
        folder, adapter = self.source.adapter, self.adapter()
        if folder is not None and adapter is None:
            return None
        with self.base.lock:
            if request.prompt is not None:
                kept: Sequence[Message] = ()
                shown = llm.encode_bare(request.prompt)
            else:
                kept = self.kept(llm)
                shown = llm.encode(turns_of(kept), request.tools)
            shape = Shape(request.options, request.tools, request.is_split, request.echo)
            answer = batched.answer(shown, shape, folder)

        def join() -> None:
            if folder is not None and adapter is not None:
                batched.add_adapter(folder, adapter)
            batched.engine.join(answer)

        return Prepared(self.base, answer, join, len(request.messages) - len(kept))

    def adapter(self) -> LoraAdapter | None:
        """None where there is none, or PEFT has to lay it on."""
        from maxaillm.model.batching.attention import UnbatchableError

        folder, batched = self.source.adapter, self.base.batched
        if folder is None or batched is None or folder in self.base.alone:
            return None
        try:
            return batched.pool.held.get(folder) or batched.read_adapter(Path(folder))
        except UnbatchableError:
            self.base.alone.add(folder)
            return None

    def serial(self) -> Prepared:
        """What can't be done one after the other is refused."""
        from maxaillm.model.batching.serial import SerialAnswer

        request, llm = self.request, self.base.llm
        require_possible(request)
        with self.base.lock:
            kept = self.kept(llm)

        def speak(should_stop: Callable[[], bool]) -> Parts:
            from maxaillm.model.loaded import as_parts

            if self.source.base is None:
                self.base.use_adapter(self.source.adapter)
            asked = (turns_of(kept), request.options, should_stop, request.tools)
            return llm.parts(*asked) if request.is_split else as_parts(llm.stream(*asked))

        answer: SerialAnswer = SerialAnswer(speak)
        dropped = len(request.messages) - len(kept)
        return Prepared(self.base, answer, lambda: self.base.serial.join(answer), dropped)

    def kept(self, llm: LoadedModel) -> Sequence[Message]:
        if not self.request.may_cut:
            return self.request.messages
        return cut_to_fit(llm, self.request.messages, self.request.options.max_new_tokens)


def require_possible(request: Request) -> None:
    """Raises NotSupportedError for what answers that are made one after the other can't do."""
    options = request.options
    wanted = {
        "an answer to a bare prompt": request.prompt is not None,
        "a logit bias": bool(options.logit_bias),
        "log probabilities": options.logprobs is not None or request.echo,
        "structured output": options.is_structured,
    }
    for name in (name for name, is_wanted in wanted.items() if is_wanted):
        raise NotSupportedError(f"This model can't give {name}.", "Ask without it.")


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
