"""The form of a model's answers: how its chat template marks thoughts, and calls of tools.

No list of models: the template writes an example of each, and what stands around is read off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase as Tokenizer

from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall
from maxaillm.dev.finetune.hf.batches.chat_template import Template, UnfitConversationError
from maxaillm.dev.finetune.hf.generation.call_forms import (
    PROBE_ID,
    CallForm,
    JsonCalls,
    KeyedCalls,
    NamedCalls,
    json_at,
)
from maxaillm.dev.finetune.hf.generation.streaming import special_tokens

NAME = "probetool"
GIVEN = {"probekeya": "probevaluea", "probekeyb": "probevalueb"}
ANSWER, THOUGHT = "probeanswer", "probethought"
ASKED = Message(role="user", content="probequestion")
THINK = ("<think>", "</think>")
"""How models mark thoughts whose template only takes them out again, as DeepSeek-R1's does."""
Marks = tuple[str, str]


class AnswerForm(NamedTuple):
    """What an answer has beside its text, and how that is written."""

    thought: Marks | None
    """What stands before and behind a thought, with which an answer begins."""
    calls: CallForm | None

    def control_words(self, tokenizer: Tokenizer) -> frozenset[str]:
        """The special tokens of the form: a decoder must not leave them out."""
        literals = "\n".join((*(self.thought or ()), *(self.calls.literals if self.calls else ())))
        words = special_tokens(tokenizer).values()
        return frozenset(word for word in words if word in literals)


def answer_form(tokenizer: Tokenizer) -> AnswerForm:
    """Raises ModelError where the chat template does not end."""
    template = Template(tokenizer)
    start = written(template, None)
    plain = written(template, Message(role="assistant", content=ANSWER))
    before, _, behind = plain.partition(ANSWER)
    return AnswerForm(thought_marks(template, start), call_form(template, (before, start), behind))


def written(template: Template, message: Message | None, tools: str | None = None) -> str:
    """What the template writes for a message of the assistant, or for one that is to come;
    nothing where it refuses."""
    turns, listed, _ = template.written([ASKED, *([message] if message else [])], tools)
    try:
        asked = template.write(turns[: len(turns) - bool(message)], listed)
        text = template.write(turns, listed, add_generation_prompt=message is None)
    except UnfitConversationError:
        return ""
    return text[common_start(asked, text) :]


def thought_marks(template: Template, start: str) -> Marks | None:
    message = Message(role="assistant", content=ANSWER, reasoning=THOUGHT)
    opening, found, rest = written(template, message).partition(THOUGHT)
    closing = rest.partition(ANSWER)[0].strip()
    if found and closing:
        own = opening[common_start(start, opening) :].strip()
        return own or opening_of(closing, template.template), closing
    return THINK if THINK[1] in template.template else None


def opening_of(closing: str, template: str) -> str:
    """What a thought begins with that is closed so, where the prompt for an answer has it."""
    opening = closing.replace("/", "", 1)
    return opening if opening in template else ""


def call_form(template: Template, befores: Sequence[str], behind: str) -> CallForm | None:
    """None where the template does not say how calls are written, or in no way known here."""
    one, two = (calling(template, count, befores, behind) for count in (1, 2))
    form = json_form(one, two) or named_form(one, two) or keyed_form(one, two)
    can_be_told = form is not None and (form.marker or isinstance(form, JsonCalls))
    return form if can_be_told else None


def calling(template: Template, count: int, befores: Sequence[str], behind: str) -> str:
    """An example with so many calls, without what stands around any answer."""
    calls = [
        ToolCall(id=PROBE_ID.replace("4", str(4 + number)), name=NAME, arguments=json.dumps(GIVEN))
        for number in range(count)
    ]
    schema = {"type": "object", "properties": {key: {"type": "string"} for key in GIVEN}}
    function = {"name": NAME, "description": "description", "parameters": schema}
    tools = json.dumps([{"type": "function", "function": function}])
    message = Message(role="assistant", content="", tool_calls=tuple(calls))
    text = written(template, message, tools)
    before = next((before for before in befores if text.startswith(before)), "")
    return text.removeprefix(before).removesuffix(behind)


def json_form(one: str, two: str) -> CallForm | None:
    """The outermost JSON that names the tool and what it is given, or a list of one such."""
    for start in (at for at, sign in enumerate(one) if sign in "{["):
        value, end = json_at(one, start)
        keys = keys_of(value[0] if isinstance(value, list) and value else value)
        if keys is not None:
            begin, tail = one[:start], one[end:]
            _, first = json_at(two, start)
            return JsonCalls(
                begin=begin,
                end=tail.strip(),
                between=between(two[first : next_call(two, first)], tail + begin),
                name_key=keys[0],
                given_key=keys[1],
            )
    return None


def keys_of(call: object) -> tuple[str, str] | None:
    """Where a call that is JSON has the tool's name, and what it is given."""
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return None
    name = next((key for key, value in function.items() if value == NAME), None)
    forms = (GIVEN, json.dumps(GIVEN))
    given = next((key for key, value in function.items() if value in forms), None)
    return (name, given) if name and given else None


def next_call(text: str, start: int) -> int:
    """Where the next call begins that is JSON; `start` where none does."""
    places = (at for at in range(start, len(text)) if text[at] == "{")
    return next((at for at in places if keys_of(json_at(text, at)[0])), start)


def between(gap: str, usual: str) -> str | None:
    """What joins two calls; None where there is none, or each has its own beginning and end."""
    return None if not gap or "".join(gap.split()) == "".join(usual.split()) else gap


def named_form(one: str, two: str) -> CallForm | None:
    """The name, and behind it the arguments as JSON."""
    begin, found, rest = one.partition(NAME)
    middle = rest[: rest.find("{")]
    given, end = json_at(rest, len(middle))
    if not found or given != GIVEN:
        return None
    first = len(begin) + len(NAME) + end
    return NamedCalls(
        begin=begin,
        end=rest[end:].strip(),
        between=between(gap_to_name(two, first), rest[end:] + begin),
        middle=middle,
    )


def gap_to_name(two: str, first: int) -> str:
    """What stands between the end of the first call and the name of the second one."""
    return two[first : max(first, two.find(NAME, first))]


def keyed_form(one: str, two: str) -> CallForm | None:
    """The name, and behind it each argument between marks of its own."""
    words = [NAME, *(word for pair in GIVEN.items() for word in pair)]
    found = re.fullmatch(f"(.*?){'(.*?)'.join(words)}(.*)", one, re.DOTALL)
    if found is None or found[3] != found[5] or not found[3]:
        return None
    begin, opened, value, joint, _, tail = found.groups()
    key = common_end(opened, joint)
    after = joint.removesuffix(key)
    if not key or not after or not tail.startswith(after):
        return None
    closed, first = tail.removeprefix(after), found.end(5) + len(words[-1]) + len(after)
    return KeyedCalls(
        begin=begin,
        end=closed.strip(),
        between=between(gap_to_name(two, first), closed + begin),
        middle=opened.removesuffix(key),
        before_key=key,
        before_value=value,
        after_value=after,
    )


def common_end(one: str, other: str) -> str:
    """The longest text that both end with."""
    lengths = range(min(len(one), len(other)), 0, -1)
    return next((one[-n:] for n in lengths if other.endswith(one[-n:])), "")


def common_start(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
