"""Messages of a chat, and how files write them: {role, content}, {from, value}, typed parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from maxaillm.dev.finetune.data.rows.exchanges import role_in
from maxaillm.dev.finetune.data.rows.message_parts import turns_of_parts
from maxaillm.dev.finetune.data.rows.tool_calls import (
    ToolCall,
    calls_of,
    is_call,
    tools_of,
    unread_in_calls,
)
from maxaillm.dev.finetune.data.rows.unread import holds
from maxaillm.dev.finetune.data.rows.values import (
    ROLES,
    Role,
    Row,
    RowProblem,
    Turn,
    cell_of,
    is_blank,
    items_of,
    object_of,
    role_of,
    text_of,
    text_problem,
    turn_problem,
    wrong_type,
)
from maxaillm.dev.finetune.data.rows.written_values import written_value

SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
"""How Anthropic's preference data (HH-RLHF) marks who speaks in a conversation of one text."""

MAX_WEIGHT = 1e9
WEIGHTS = ("weight", "loss_weight", "train")
"""OpenAI's, H2O's, and Axolotl's, which is true or false."""
REASONING = ("reasoning_content", "reasoning", "thinking")
"""DeepSeek's and Qwen's; OpenRouter's and vLLM's; Ollama's and gpt-oss's."""
CALLS = ("tool_calls", "function_call")
PLAIN = {"role", "content"}
T = TypeVar("T")


class Message(BaseModel):
    """One turn of a conversation. `weight` 0 keeps an assistant's turn out of the loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Role
    content: str
    weight: float | None = None
    reasoning: str | None = None
    """What the assistant thinks before it answers."""
    tool_calls: list[ToolCall] | None = None
    name: str | None = None
    """Of a tool that answers, or of one of several people who speak."""
    tool_call_id: str | None = None
    """The call that a tool answers."""


class TurnError(ValueError):
    """What a row holds is no conversation; `problem` says why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def sound(found: T | RowProblem) -> T:
    """What was found. Raises TurnError where that is a problem."""
    if isinstance(found, RowProblem):
        raise TurnError(found)
    return found


def turns_in(row: Row, column: str, speaker: Role) -> list[Turn]:
    """The turns in a cell: a list of messages, a single one, or a text that `speaker` says.

    {"messages": [...]}, as OpenAI writes a prompt, is such a list too. Raises TurnError.
    """
    value = cell_of(row, column)
    single = object_of(value)
    items = items_of(value if single is None else single.get("messages", [single]))
    if isinstance(value, list | dict) or (items and all(map(is_turn, items))):
        return turns_of(items, column)  # in a table's cell, it may be a text that looks alike
    problem = text_problem(row, column)
    if problem is not None:
        raise TurnError(problem)
    return spoken_turns(str(value)) or [Turn(speaker, str(value))]


def turns_of(items: object, where: str) -> list[Turn]:
    """The turns of a list of messages. Raises TurnError."""
    if not isinstance(items, list):
        raise TurnError(wrong_type(where, items, "a list of messages"))
    if not items:
        raise TurnError(RowProblem("empty", f"{where!r} is empty.", "Fill it in."))
    numbered = enumerate(items, start=1)
    return [turn for number, item in numbered for turn in turns_of_message(item, number)]


def turns_of_message(item: Any, number: int) -> list[Turn]:
    """Message `number`: mostly one turn; what tools found, where it lies in parts, are turns of
    their own. Raises TurnError."""
    if not isinstance(item, dict):
        raise TurnError(wrong_type(f"message {number}", item, "an object"))
    said_by = item["role"] if "role" in item else item.get("from")
    role: Role = sound(role_of(said_by, number))
    content = item.get(content_key(item))
    if item.keys() <= PLAIN and isinstance(content, str):
        return [Turn(role, content)]
    calls = calls_in(item, number)
    if said_by == "function_call" and not calls and (asked := calls_in_text(content, number)):
        calls, content = asked, None
    reasoning = reasoning_in(item, number)
    if content is None and (calls or reasoning):
        content = ""
    names = (word_in(item, "name", number), word_in(item, "tool_call_id", number))
    told = Turn(role, "", weight_in(item, number), reasoning, calls, *names)
    if isinstance(content, list):
        return list(joined(told, sound(turns_of_parts(content, role, number))))
    if not isinstance(content, str):
        raise TurnError(wrong_type(f"{content_key(item)} of message {number}", content))
    return [told._replace(content=content)]


def joined(told: Turn, turns: Sequence[Turn]) -> Iterator[Turn]:
    """A message's turns by its parts, with what the message tells beside them."""
    if not turns or ((told.calls or told.reasoning) and turns[0].role != told.role):
        yield told
        told = told._replace(calls=(), reasoning="")
    for turn in turns:
        if turn.role != told.role:
            yield turn._replace(weight=told.weight)
            continue
        thoughts = "\n\n".join(filter(None, (told.reasoning, turn.reasoning)))
        yield told._replace(
            content=turn.content,
            reasoning=thoughts,
            calls=(*told.calls, *turn.calls),
            name=told.name or turn.name,
            call_id=told.call_id or turn.call_id,
        )
        told = told._replace(calls=(), reasoning="")


def content_key(item: Mapping[str, Any]) -> str:
    return "value" if "value" in item and "content" not in item else "content"


def weight_in(item: Mapping[str, Any], number: int) -> float | None:
    """The first weight that a message has; a table's cell or a form has it as a text."""
    key = next((key for key in WEIGHTS if item.get(key) is not None), None)
    if key is None:
        return None
    try:
        weight = float(item[key])
    except (TypeError, ValueError, OverflowError):
        weight = MAX_WEIGHT
    if not abs(weight) < MAX_WEIGHT:
        raise TurnError(wrong_type(f"{key} of message {number}", item[key], "a number"))
    return weight


def reasoning_in(item: Mapping[str, Any], number: int) -> str:
    """What a message says the assistant thought; under several names, each thought once."""
    found: dict[str, None] = {}
    for key in REASONING:
        if (thought := item.get(key)) is None:
            continue
        if not isinstance(thought, str):
            raise TurnError(wrong_type(f"{key} of message {number}", thought))
        found[thought] = None
    return "\n\n".join(thought for thought in found if thought)


def calls_in(item: Mapping[str, Any], number: int) -> tuple[Mapping[str, str], ...]:
    """The calls of tools in a message, OpenAI's older single one among them."""
    found: list[Mapping[str, str]] = []
    for key in CALLS:
        found += sound(calls_of(item[key], number)) if holds(item.get(key)) else ()
    return tuple(found)


def calls_in_text(text: object, number: int) -> tuple[Mapping[str, str], ...]:
    """The calls that ShareGPT's speaker `function_call` writes as JSON; () of another text."""
    value = written_value(text) if isinstance(text, str) else None
    items = value if isinstance(value, list) else [value]
    calls = calls_of(items, number) if items and all(map(is_call, items)) else ()
    has_more = any(True for _ in unread_in_calls(items))
    return () if has_more or isinstance(calls, RowProblem) else calls


def word_in(item: Mapping[str, Any], key: str, number: int) -> str:
    word = item.get(key)
    if word is None or isinstance(word, str):
        return word or ""
    if isinstance(word, int):
        return str(word)
    raise TurnError(wrong_type(f"{key} of message {number}", word))


def messages_of(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """`turns` as the fields of messages; a system's turn without text is left out."""
    return [message_of(turn) for turn in turns if turn.content or turn.role != "system"]


def message_of(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.weight is not None:
        message["weight"] = float(turn.weight)
    if turn.calls:
        message["tool_calls"] = [dict(call) for call in turn.calls]
    more = {"reasoning": turn.reasoning, "name": turn.name, "tool_call_id": turn.call_id}
    return message | {key: value for key, value in more.items() if value}


def tools_in(row: Row, column: str | None) -> str | None:
    """The tools that a row says may be called, as JSON. Raises TurnError."""
    return sound(tools_of(row.get(column))) if column is not None else None


def spoken_turns(text: str) -> list[Turn]:
    """The turns of a text in which "Human:" and "Assistant:" say who speaks; [] of any other."""
    marks = list(SPEAKER.finditer(text))
    if not marks or marks[0].start() or {mark[1] for mark in marks} != {"Human", "Assistant"}:
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Turn(ROLES[mark[1].lower()], text[mark.end() : end].strip())
        for mark, end in zip(marks, ends, strict=True)
    ]


def prompt_in(row: Row, prompt: str | None, matter: str | None, system: str | None) -> list[Turn]:
    """What is asked: the turns in `prompt`, what they are about, and how to behave. See TurnError.

    Without a column for the prompt it is only the system's turn, if there is one.
    """
    turns = turns_in(row, prompt, "user") if prompt is not None else []
    if len(turns) > 1 and turns[-1].role == "assistant" and is_blank(turns[-1].content):
        turns.pop()  # "Assistant:" at the end of a prompt calls for the answer
    if turns and (about := text_of(row, matter)):
        turns[-1] = turns[-1]._replace(content=f"{turns[-1].content}\n\n{about}")
    behaviour = text_of(row, system)
    return [Turn("system", behaviour), *turns] if behaviour else turns


def with_system_column(turns: list[Turn], row: Row, column: str | None) -> list[Turn]:
    """`turns` behind what a column says of how to behave; a system's own first turn goes on."""
    behaviour = text_of(row, column)
    if not behaviour:
        return turns
    if not turns or turns[0].role != "system":
        return [Turn("system", behaviour), *turns]
    said = dict.fromkeys((behaviour, turns[0].content))
    return [turns[0]._replace(content="\n\n".join(filter(None, said))), *turns[1:]]


def is_turn(item: Any) -> bool:
    """Whether `item` looks like a message with who says it and what."""
    return (
        isinstance(item, dict)
        and not item.keys().isdisjoint({"role", "from"})
        and not item.keys().isdisjoint({"content", "value", *CALLS})
    )


def ends_with_question(value: Any) -> bool:
    """Whether `value` is a list of messages of which the user has the last."""
    return role_in((items_of(value) or [None])[-1]) == "user"


def starts_anew(turns: Sequence[Turn]) -> bool:
    """Whether `turns` are a whole conversation and not the continuation of one."""
    return bool(turns) and turns[0].role in ("system", "user")


def refuse_broken(prompt: Sequence[Turn], answer: Sequence[Turn], where: str) -> None:
    """Raise TurnError where an answer to a prompt makes no conversation with it."""
    problem = turn_problem([*prompt, *answer])
    if problem is None and prompt and prompt[-1].role == "assistant":
        message = "the assistant has answered the prompt already."
        problem = RowProblem("answered_prompt", message, "End the prompt with the question.")
    if problem is not None:
        raise TurnError(problem._replace(message=f"{where!r}: {problem.message}"))
