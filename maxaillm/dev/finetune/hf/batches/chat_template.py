"""Chat templates: conversations rendered, and where in the text the assistant speaks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import TemplateError
from torch import Tensor
from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.errors import FineTuneError
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
Span = tuple[int, int]


class Rendered(NamedTuple):
    """A conversation as text, and the character spans that are learned."""

    text: str
    answers: list[Span]


class PromptRefusedError(FineTuneError):
    """The model, or its chat template, can't be shown this prompt."""

    code = "prompt_refused"


class UnfitConversationError(ValueError):
    """The chat template refuses this conversation."""


def template_of(tokenizer: Tokenizer) -> str:
    """The model's own template, else the plain one, after BOS where the tokenizer adds that."""
    if tokenizer.chat_template:
        return str(tokenizer.chat_template)
    starts_with_bos = tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    start = "{{ bos_token }}" if starts_with_bos and tokenizer.bos_token else ""
    return start + PLAIN_TEMPLATE


def encode_prompt(
    tokenizer: Tokenizer, prompt: str | Sequence[Mapping[str, str]]
) -> dict[str, Tensor]:
    """What the model goes on from: messages through the chat template; a plain prompt as a
    user's message, or as it stands where the model knows no chat."""
    if isinstance(prompt, str) and not tokenizer.chat_template:
        encoded = tokenizer(prompt, return_tensors="pt")
        if len(encoded["input_ids"][0]) == 0:
            raise PromptRefusedError("The prompt is empty.", "Write something to go on from.")
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    try:
        encoded = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            chat_template=template_of(tokenizer),
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
    except TemplateError as error:
        raise PromptRefusedError(
            f"The model's chat template refuses this: {error}",
            "Send the turns in the order that the model knows.",
        ) from None
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}


def render(tokenizer: Tokenizer, messages: Sequence[Message]) -> Rendered:
    """`messages` through the chat template; raises UnfitConversationError if it refuses."""
    turns = [message.model_dump(include={"role", "content"}) for message in messages]
    try:
        if GENERATION.search(tokenizer.chat_template):
            text, spans = rendered_marked(tokenizer, turns)
        else:
            text, spans = rendered_by_prefix(tokenizer, turns)
    except TemplateError as error:
        raise UnfitConversationError(str(error)) from None
    answers = [message for message in messages if message.role == "assistant"]
    if len(spans) != len(answers):
        raise UnfitConversationError("The chat template does not write every answer once.")
    kept = [span for span, answer in zip(spans, answers, strict=True) if answer.weight != 0]
    return Rendered(text, kept)


def rendered_marked(tokenizer: Tokenizer, turns: list[dict[str, str]]) -> tuple[str, list[Span]]:
    """For a template that marks answers with {% generation %}."""
    texts, spans = render_jinja_template(
        [turns],
        chat_template=tokenizer.chat_template,
        return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )
    return texts[0], [(start, end) for start, end in spans[0]]


def rendered_by_prefix(tokenizer: Tokenizer, turns: list[dict[str, str]]) -> tuple[str, list[Span]]:
    """For other templates: an answer is what a turn adds to the prompt for it."""
    text = write(tokenizer, turns)
    spans: list[Span] = []
    for index, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        prompt = write(tokenizer, turns[:index], add_generation_prompt=True)
        upto = write(tokenizer, turns[: index + 1])
        if not (upto.startswith(prompt) and text.startswith(upto)):
            raise UnfitConversationError("The chat template rewrites earlier turns.")
        spans.append((len(prompt), end_of_turn(tokenizer, upto)))
    return text, spans


def end_of_turn(tokenizer: Tokenizer, text: str) -> int:
    """The end of `text`, without white space after a special token that ends the turn."""
    stripped = text.rstrip()
    ended = stripped.endswith(tuple(tokenizer.get_added_vocab()) or ("\0",))
    return len(stripped) if ended else len(text)


def write(
    tokenizer: Tokenizer, turns: list[dict[str, str]], *, add_generation_prompt: bool = False
) -> str:
    text: str = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    return text
