"""Forms of calls of tools: how a model writes them into its answer, and how they are read there."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from secrets import token_hex
from typing import Any, NamedTuple

from maxaillm.dev.finetune.data.rows.tool_calls import ToolCall

PROBE_ID = "probe1234"
"""Mistral's ids have nine letters; in a form it stands for any id."""
NAME = r"[\w.-]+"
Properties = Mapping[str, Mapping[str, Any]]
"""The tools that may be called: name -> name of a parameter -> its JSON schema."""


def new_id() -> str:
    """Nine letters, as Mistral's templates want them; others take any."""
    return token_hex(5)[:9]


class Found(NamedTuple):
    """Calls that a text has somewhere, and where they end."""

    calls: list[ToolCall]
    end: int


def lenient(literal: str) -> str:
    """A regular expression for what a template writes: white space, numbers and ids may differ."""
    words = (re.escape(word).replace(PROBE_ID, r"[\w.:-]+") for word in literal.split())
    return r"\s*".join(re.sub(r"(?<!\\)\d+", r"\\d+", word) for word in words)


@dataclass(frozen=True, kw_only=True)
class CallForm(ABC):
    """`begin`, calls with `between` from one to the next, `end`."""

    begin: str
    end: str = ""
    between: str | None = None
    """None: each call has a beginning and an end of its own."""

    @abstractmethod
    def call_at(self, text: str, place: int, tools: Properties) -> Found | None:
        """What is called at `place`; None where no call of one of the tools is complete there."""

    @property
    def literals(self) -> tuple[str, ...]:
        return self.begin, self.between or "", self.end

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        begin, between, end = map(lenient, (self.begin, self.between or "", self.end))
        return re.compile(rf"{begin}\s*"), re.compile(rf"\s*{between}\s*"), re.compile(rf"\s*{end}")

    @cached_property
    def marker(self) -> str:
        """The word that calls begin with, if they begin with one."""
        return next(iter(self.begin.split()), "")

    def read(self, text: str, place: int, tools: Properties, *, is_whole: bool) -> Found | None:
        """The calls that begin at `place`. None: they aren't well-formed, or not yet. The end may
        be missing where the whole answer is over: some calls end with the token of the turn."""
        begin, between, _ = self.patterns
        opened = begin.match(text, place)
        found = self.call_at(text, opened.end(), tools) if opened else None
        calls: list[ToolCall] = []
        while found:
            calls += found.calls
            end = self.end_behind(text, found.end, is_whole=is_whole)
            following = between.match(text, found.end) if self.between is not None else None
            more = self.call_at(text, following.end(), tools) if following else None
            if more is None or (self.end and end is not None):
                return None if end is None else Found(calls, end)
            found = more
        return None

    def end_behind(self, text: str, place: int, *, is_whole: bool) -> int | None:
        """Where calls end whose last one ends at `place`; None: not, or not yet."""
        rest = text[place:].strip()
        if self.end:
            ended = self.patterns[2].match(text, place)
            return ended.end() if ended else len(text) if is_whole and not rest else None
        may_go_on = self.between is not None and self.between.strip().startswith(rest)
        return None if may_go_on and not is_whole else place


@dataclass(frozen=True, kw_only=True)
class JsonCalls(CallForm):
    """A call, or a list of calls, as JSON: `{"name": ..., "arguments": {...}}`."""

    name_key: str
    given_key: str

    def call_at(self, text: str, place: int, tools: Properties) -> Found | None:
        value, end = json_at(text, place)
        items = value if isinstance(value, list) else [value]
        calls = [self.call_of(item, tools) for item in items]
        read = [call for call in calls if call is not None]
        return Found(read, end) if read and len(read) == len(calls) else None

    def call_of(self, item: object, tools: Properties) -> ToolCall | None:
        function = item.get("function", item) if isinstance(item, dict) else None
        if not isinstance(function, dict):
            return None
        name, given = function.get(self.name_key), function.get(self.given_key, {})
        if isinstance(given, str):
            given, _ = json_at(given, 0)
        return call(name, given) if isinstance(name, str) and name in tools else None


@dataclass(frozen=True, kw_only=True)
class NamedCalls(CallForm):
    """A name, `middle`, and the arguments as JSON."""

    middle: str

    @property
    def literals(self) -> tuple[str, ...]:
        return *super().literals, self.middle

    @cached_property
    def head(self) -> re.Pattern[str]:
        return re.compile(rf"({NAME}?)\s*{lenient(self.middle)}\s*(?=\{{)")

    def call_at(self, text: str, place: int, tools: Properties) -> Found | None:
        head = self.head.match(text, place)
        if head is None or head[1] not in tools:
            return None
        given, end = json_at(text, head.end())
        made = call(head[1], given)
        return Found([made], end) if made else None


@dataclass(frozen=True, kw_only=True)
class KeyedCalls(CallForm):
    """A name, `middle`, and each argument between marks of its own, as XML has them."""

    middle: str
    before_key: str
    before_value: str
    after_value: str

    @property
    def literals(self) -> tuple[str, ...]:
        own = (self.middle, self.before_key, self.before_value, self.after_value)
        return *super().literals, *own

    @cached_property
    def argument(self) -> re.Pattern[str]:
        key, value, after = map(re.escape, (self.before_key, self.before_value, self.after_value))
        ahead = rf"(?={key}|\s*{lenient(self.end)})"
        return re.compile(rf"{key}([^\s<>]+?){value}(.*?){after}{ahead}", re.DOTALL)

    def call_at(self, text: str, place: int, tools: Properties) -> Found | None:
        middle = rf"\s*{lenient(self.middle)}" if self.middle.strip() else ""
        head = re.compile(f"({NAME}){middle}").match(text, place)
        if head is None or head[1] not in tools:
            return None
        given, end = {}, head.end()
        while argument := self.argument.match(text, end):
            given[argument[1]] = typed(argument[2], tools[head[1]].get(argument[1], {}))
            end = argument.end()
        made = call(head[1], given)
        return Found([made], end) if made else None


def call(name: str, given: object) -> ToolCall | None:
    if not isinstance(given, dict):
        return None
    return ToolCall(id=new_id(), name=name, arguments=as_json(given))


def as_json(value: object) -> str:
    """Readable, but escaped where it holds half a surrogate pair: no text may."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.encode(errors="ignore").decode() == text else json.dumps(value)


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


DECODER = json.JSONDecoder(strict=False, parse_constant=refuse)


def json_at(text: str, place: int) -> tuple[Any, int]:
    """The JSON value at `place` and where it ends; None where none is whole there."""
    try:
        return DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return None, place


def typed(text: str, schema: Mapping[str, Any]) -> Any:
    """An argument as its tool declares it: only what is to be no text is read as JSON."""
    kinds = schema.get("type", "string")
    if "string" in (kinds if isinstance(kinds, list) else [kinds]):
        return text
    value, end = json_at(text.strip(), 0)
    return value if end == len(text.strip()) else text


def properties_of(tools: Sequence[Any]) -> Properties:
    """What the tools of a request are called, and what they take."""
    functions = [tool.get("function", tool) for tool in tools if isinstance(tool, dict)]
    return {
        function["name"]: dict((function.get("parameters") or {}).get("properties") or {})
        for function in functions
        if isinstance(function, dict) and isinstance(function.get("name"), str)
    }
