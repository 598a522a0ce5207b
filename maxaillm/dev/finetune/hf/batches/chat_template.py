"""Chat templates: conversations rendered, and where in the text the assistant speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.rows.messages import (
    Message,
    TurnError,
    messages_of,
    turns_of,
)
from maxaillm.dev.finetune.data.rows.tool_calls import tools_of
from maxaillm.dev.finetune.data.rows.values import RowProblem
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.dev.finetune.hf.batches.control_words import broken, control_words, encode
from maxaillm.dev.finetune.hf.batches.template_turns import (
    REFUSALS,
    Abilities,
    Turn,
    abilities_of,
    written,
)
from maxaillm.dev.finetune.hf.templates import render_jinja_template, trust

PLAIN_TEMPLATE = """\
{%- for message in messages %}
{%- if message.role == 'assistant' -%}
Assistant:{% generation %} {{ message.content }}{{ eos_token }}{% endgeneration %}{{ '\\n' }}
{%- else -%}
{{ message.role | capitalize }}: {{ message.content }}{{ '\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}Assistant:{% endif %}"""
"""What a model without a chat template is taught. It is saved with the tuned model, so that
inference writes the same. An answer ends with EOS, which is how generation knows to stop."""
trust(PLAIN_TEMPLATE, "{{ bos_token }}" + PLAIN_TEMPLATE)

GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
THOUGHT_ENDS = re.compile(r"</think>\s*")
Span = tuple[int, int]
Tools = str | Sequence[Mapping[str, Any]]
"""The tools that a model may call, as OpenAI has them, or as their JSON."""


class Rendered(NamedTuple):
    """A conversation as text, and the character spans that are learned."""

    text: str
    answers: list[Span]
    in_texts: tuple[str, ...] = ()
    """What the template has no place for, so that it stands in a text."""
    partial: int = 0
    """Answers of a weight that is neither 0 nor 1: here it counts as 1."""


class PromptRefusedError(FineTuneError):
    """The model, or its chat template, can't be shown this prompt."""

    code = "prompt_refused"


class UnfitConversationError(ValueError):
    """The chat template refuses this conversation, or leaves a part of it out."""


def template_of(tokenizer: Tokenizer) -> str:
    """The model's own template, else the plain one, after BOS where the tokenizer adds that."""
    own = tokenizer.chat_template
    if own:
        return str(own.get("default") or next(iter(own.values())) if isinstance(own, dict) else own)
    starts_with_bos = tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    start = "{{ bos_token }}" if starts_with_bos and tokenizer.bos_token else ""
    return start + PLAIN_TEMPLATE


def encode_prompt(
    tokenizer: Tokenizer, prompt: str | Sequence[Mapping[str, Any]], tools: Tools | None = None
) -> dict[str, Tensor]:
    """What the model goes on from: messages through the chat template, with the tools that it may
    call; a plain prompt as a user's message, or as it stands where the model knows no chat.

    Control words in messages and tools are text. Raises FineTuneError.
    """
    if isinstance(prompt, str) and not tokenizer.chat_template:
        encoded = tokenizer(prompt, return_tensors="pt")
        if len(encoded["input_ids"][0]) == 0:
            raise PromptRefusedError("The prompt is empty.", "Write something to go on from.")
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    messages, listed = read_chat(turns, tools)
    try:
        text = Template(tokenizer).prompt(messages, listed)
    except UnfitConversationError as error:
        raise PromptRefusedError(
            f"The model's chat template refuses this: {error}",
            "Send the turns in the order that the model knows.",
        ) from None
    (made,) = encode(tokenizer, [text])
    ids = torch.tensor([made.ids])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def read_chat(
    messages: Sequence[Mapping[str, Any]], tools: Tools | None
) -> tuple[list[Message], str | None]:
    """Messages and tools, read as those of a data file are. Raises FineTuneError."""
    try:
        turns = messages_of(turns_of(list(messages), "messages"))
        listed = tools_of(tools if isinstance(tools, str) else list(tools or ()))
    except TurnError as error:
        raise PromptRefusedError(error.problem.message, error.problem.fix) from None
    if isinstance(listed, RowProblem):
        raise PromptRefusedError(listed.message, listed.fix)
    return [Message.model_validate(turn) for turn in turns], listed


class Template:
    """A tokenizer's chat template at work. `keeps_text` says that words such as `</s>` in what
    somebody said are text, and not the tokenizer's tokens; `learns_reasoning`, that what the
    assistant thinks before an answer is learned too."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        keeps_text: bool = True,
        learns_reasoning: bool = True,
    ) -> None:
        self.tokenizer, self.template = tokenizer, template_of(tokenizer)
        self.words = control_words(tokenizer) if keeps_text else None
        self.learns_reasoning = learns_reasoning
        self.special = tokenizer.special_tokens_map
        self.can: Abilities = abilities_of(self.template, self.special)
        self.marks_answers = GENERATION.search(self.template) is not None

    def prompt(self, messages: Sequence[Message], tools: str | None) -> str:
        """A conversation that the assistant is to go on with."""
        turns, listed, _ = self.written(messages, tools)
        text = self.write(turns, listed, add_generation_prompt=True)
        require_all(text, turns)
        return text

    def render(self, messages: Sequence[Message], tools: str | None = None) -> Rendered:
        """A whole conversation; raises UnfitConversationError if the template refuses it."""
        turns, listed, in_texts = self.written(messages, tools)
        render = self.marked if self.marks_answers else self.by_prefix
        text, spans = render(turns, listed)
        require_all(text, turns)
        answers = [message for message in messages if message.role == "assistant"]
        if len(spans) != len(answers):
            raise UnfitConversationError("The chat template does not write every answer once.")
        kept = [
            span if self.learns_reasoning else behind_thought(text, span, answer)
            for span, answer in zip(spans, answers, strict=True)
            if answer.weight != 0
        ]
        partial = sum(answer.weight not in (None, 0, 1) for answer in answers)
        return Rendered(text, kept, in_texts, partial)

    def written(
        self, messages: Sequence[Message], tools: str | None
    ) -> tuple[list[Turn], list[Any] | None, tuple[str, ...]]:
        turns, listed, in_texts = written(messages, tools, self.can)
        if self.words is not None:
            turns, listed = broken(turns, self.words), broken(listed, self.words)
        return turns, listed, in_texts

    def marked(self, turns: list[Turn], tools: list[Any] | None) -> tuple[str, list[Span]]:
        """For a template that marks answers with {% generation %}."""
        texts, spans = self.rendered(turns, tools, return_assistant_tokens_mask=True)
        return texts[0], [(start, end) for start, end in spans[0]]

    def by_prefix(self, turns: list[Turn], tools: list[Any] | None) -> tuple[str, list[Span]]:
        """For other templates: an answer is what a turn adds to the prompt for it."""
        text = self.write(turns, tools)
        spans: list[Span] = []
        for index, turn in enumerate(turns):
            if turn["role"] != "assistant":
                continue
            start = self.start_of(turns[:index], tools, text)
            upto = self.write(turns[: index + 1], tools)
            if not text.startswith(upto):
                raise UnfitConversationError("The chat template rewrites earlier turns.")
            spans.append((start, end_of_turn(self.tokenizer, upto)))
        return text, spans

    def start_of(self, before: list[Turn], tools: list[Any] | None, text: str) -> int:
        """Where the answer to these turns begins in a conversation."""
        prompt = self.write(before, tools, add_generation_prompt=True) if before else ""
        if not text.startswith(prompt):
            raise UnfitConversationError("The chat template rewrites earlier turns.")
        return len(prompt)

    def write(
        self, turns: list[Turn], tools: list[Any] | None, *, add_generation_prompt: bool = False
    ) -> str:
        texts, _ = self.rendered(turns, tools, add_generation_prompt=add_generation_prompt)
        return str(texts[0])

    def rendered(self, turns: list[Turn], tools: list[Any] | None, **options: Any) -> Any:
        try:
            return render_jinja_template(
                [turns], tools, chat_template=self.template, **options, **self.special
            )
        except REFUSALS as error:
            raise UnfitConversationError(str(error)) from None


def require_all(text: str, turns: list[Turn]) -> None:
    """Raise UnfitConversationError where a turn is not written, or not where it stands.

    A template may put the system's first turn elsewhere, and write thoughts in its own way.
    """
    place = 0
    for number, turn in enumerate(turns, start=1):
        content = THOUGHT_ENDS.split(turn["content"])[-1].strip()
        is_opening = number == 1 and turn["role"] == "system"
        at = find(text, content, 0 if is_opening else place)
        if at < 0:
            what = f"turn {number} ({turn['role']})"
            raise UnfitConversationError(f"The chat template does not write {what} in its place.")
        if not is_opening:
            place = at + len(content)


def find(text: str, content: str, start: int) -> int:
    """Where `content` is written from `start` on, as it is or as JSON; -1: nowhere."""
    at = text.find(content, start)
    if at >= 0:
        return at
    as_json = (json.dumps(content, ensure_ascii=ascii)[1:-1] for ascii in (False, True))
    return max(text.find(form, start) for form in as_json)


def behind_thought(text: str, span: Span, answer: Message) -> Span:
    """What is left of an answer's span behind the thought that it begins with."""
    start, end = span
    said = text[start:end]
    thought = (answer.reasoning or "").strip()
    at = said.find(thought) if thought else -1
    if at >= 0:
        return start + at + len(thought), end
    inline = THOUGHT_ENDS.search(said) if "</think>" in answer.content else None
    return (start + inline.start(), end) if inline else span


def end_of_turn(tokenizer: Tokenizer, text: str) -> int:
    """The end of `text`, without white space after a special token that ends the turn."""
    stripped = text.rstrip()
    ended = stripped.endswith(tuple(tokenizer.get_added_vocab()) or ("\0",))
    return len(stripped) if ended else len(text)
