"""ChatGPT's export (conversations.json): a tree of messages, each answer made anew a branch."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from maxaillm.dev.finetune.data.examples import Example
from maxaillm.dev.finetune.data.examples.conversation import Conversation
from maxaillm.dev.finetune.data.formats import DataFormat, Fields, conversation_of, formats
from maxaillm.dev.finetune.data.rows.messages import TurnError
from maxaillm.dev.finetune.data.rows.unfolding import rows_or_record
from maxaillm.dev.finetune.data.rows.unread import Unread, holds, only
from maxaillm.dev.finetune.data.rows.values import (
    Row,
    RowProblem,
    Turn,
    columns_by_name,
    is_blank,
    is_mostly,
    object_of,
    role_of,
    turn_problem,
    wrong_type,
)

READ = ("text", "multimodal_text", "code", "execution_output")
"""Kinds of content that were said; others are settings, thoughts and notes of the program."""

FEW_STEPS, TIMES_WALKED = 100_000, 100
"""Messages that all branches of a tree may have together: so many, and so many times the tree's."""
TOO_MANY_BRANCHES = RowProblem(
    "too_many_rows",
    "The conversation has so many branches that they repeat its messages more than "
    f"{TIMES_WALKED} times. The rest of them is left out.",
    "Remove the conversation, or all branches but the one that counts.",
)


class Branch(dict[str, Any]):
    """A record with one way through its tree."""

    leaf: str = ""
    """The last message of the way."""
    learned_in: Mapping[str, str] = {}
    """By message the leaf of the first branch that has it: others don't learn it again."""
    is_one_too_many: bool = False


@formats.register
class ChatGPTFormat(DataFormat):
    """A conversation a record. Where an answer was made anew, each branch is a row that learns
    its own answers only."""

    label: ClassVar[str] = "ChatGPT export"
    summary: ClassVar[str] = "mapping: a tree of messages; current_node (conversations.json)."
    gives: ClassVar[type[Example]] = Conversation

    name: Literal["chatgpt"] = "chatgpt"
    mapping: str = Field(
        "mapping", title="Messages", description="An object: id, message, parent and children each."
    )
    current: str = Field(
        "current_node", title="Last message", description="The id of the last one that was shown."
    )

    @classmethod
    def recognise(cls, sample: Sequence[Row]) -> Self | None:
        present = columns_by_name(sample)
        mapping = present.get("mapping")
        if mapping is None or not is_mostly(sample, lambda row: is_tree(row.get(mapping))):
            return None
        return cls(mapping=mapping, current=present.get("current_node", "current_node"))

    def unfolder(self) -> Callable[[Row], Iterable[Row]]:
        return lambda record: rows_or_record(self.branches(record), record)

    def branches(self, record: Row) -> Iterator[Row]:
        nodes = object_of(record.get(self.mapping)) or {}
        learned_in: dict[str, str] = {}
        depths: dict[Any, int] = {}
        steps = 0
        for leaf in leaves(nodes, record.get(self.current)):
            branch = Branch(record)
            branch.leaf, branch.learned_in = leaf, learned_in
            for name in path_to(nodes, leaf, learned_in):
                learned_in[name] = leaf
                parent = nodes[name].get("parent")
                depths[name] = (depths.get(parent, 0) if isinstance(parent, str) else 0) + 1
            steps += depths[leaf]
            branch.is_one_too_many = steps > FEW_STEPS + TIMES_WALKED * len(nodes)
            yield branch
            if branch.is_one_too_many:
                return

    def check(self, row: Row) -> RowProblem | None:
        nodes = object_of(row.get(self.mapping))
        if nodes is None:
            return wrong_type(self.mapping, row.get(self.mapping), "a tree of messages")
        if isinstance(row, Branch) and row.is_one_too_many:
            return TOO_MANY_BRANCHES
        try:
            turns = self.turns(row)
        except TurnError as error:
            return error.problem
        if not turns:
            return RowProblem("empty", "The conversation has no messages.", "Remove the row.")
        return turn_problem(turns)

    def reads(self) -> Mapping[str, Unread | None]:
        return {**super().reads(), self.mapping: unread_in_tree}

    def to_fields(self, row: Row) -> Fields:
        return conversation_of(self.turns(row))

    def turns(self, row: Row) -> list[Turn]:
        """What was said on the way; what one side says in several messages is one turn."""
        nodes = object_of(row.get(self.mapping)) or {}
        shown = () if isinstance(row, Branch) else leaves(nodes, row.get(self.current))[:1]
        leaf = row.leaf if isinstance(row, Branch) else "".join(shown)
        said: list[Turn] = []
        for name in path_to(nodes, leaf):
            turn = turn_in(nodes[name], len(said) + 1)
            if turn is None:
                continue
            is_known = turn.role == "assistant" and learned_elsewhere(row, name)
            said.append(turn._replace(weight=0.0) if is_known else turn)
        sides = (list(turns) for _, turns in groupby(said, key=lambda turn: turn.role))
        return [
            turns[-1]._replace(content="\n\n".join(str(turn.content) for turn in turns))
            for turns in sides
        ]


def learned_elsewhere(row: Row, name: str) -> bool:
    return isinstance(row, Branch) and row.learned_in[name] != row.leaf


def is_tree(value: Any) -> bool:
    nodes = object_of(value)
    first = next(iter(nodes.values()), None) if nodes else None
    return isinstance(first, dict) and "children" in first and "message" in first


def leaves(nodes: Mapping[str, Any], current: Any) -> list[str]:
    """The last messages of the branches, the one that was shown first."""
    found = [
        name
        for name, node in nodes.items()
        if isinstance(node, dict) and not children_of(node, nodes)
    ]
    if current in found:
        found.remove(current)
        found.insert(0, current)
    return found


def children_of(node: Mapping[str, Any], nodes: Mapping[str, Any]) -> list[Any]:
    children = node.get("children")
    return [name for name in children if str(name) in nodes] if isinstance(children, list) else []


def path_to(nodes: Mapping[str, Any], leaf: str, known: Container[str] = frozenset()) -> list[str]:
    """The messages from the first one, or the first that is not `known`, to `leaf`."""
    path: dict[str, None] = {}
    at: Any = leaf
    while isinstance(at, str) and at not in path and at not in known:
        if not isinstance(nodes.get(at), dict):
            break
        path[at] = None
        at = nodes[at].get("parent")
    return list(reversed(path))


def turn_in(node: dict[str, Any], number: int) -> Turn | None:
    """What a message says; None of one that shows nothing. Raises TurnError."""
    message = node.get("message")
    if not isinstance(message, dict) or is_hidden(message):
        return None
    content = message.get("content")
    kind = content.get("content_type") if isinstance(content, dict) else None
    if not isinstance(content, dict) or kind not in READ:
        return None
    text = text_in(content, number)
    author = message.get("author")
    role = role_of(author.get("role") if isinstance(author, dict) else author, number)
    if isinstance(role, RowProblem):
        raise TurnError(role)
    return None if is_blank(text) else Turn(role, text)


def is_hidden(message: dict[str, Any]) -> bool:
    about = message.get("metadata")
    return isinstance(about, dict) and bool(about.get("is_visually_hidden_from_conversation"))


def text_in(content: dict[str, Any], number: int) -> str:
    """Raises TurnError where there is more than text."""
    parts = content.get("parts", [content.get("text")])
    if not isinstance(parts, list):
        raise TurnError(wrong_type(f"parts of message {number}", parts, "a list"))
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        message = f"Message {number} holds more than text; only text is learned."
        raise TurnError(RowProblem("not_text", message, "Remove the conversation."))
    return "\n".join(texts)


unread_in_node = only(
    "id",
    "parent",
    "children",
    message=only(
        "id",
        author=only("role"),
        content=only("content_type", "parts", "text"),
        metadata=only("is_visually_hidden_from_conversation"),
    ),
)


def unread_in_tree(value: Any) -> Iterator[str]:
    """What the nodes hold beside what was said; the name of what is no node."""
    for name, node in (object_of(value) or {}).items():
        if isinstance(node, dict):
            yield from unread_in_node(node)
            yield from unread_content(node.get("message"))
        elif holds(node):
            yield name


def unread_content(message: Any) -> Iterator[str]:
    """The kind of a content that is not read, such as thoughts; `text` beside parts."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, dict):
        return
    kind = content.get("content_type")
    if kind not in READ:
        yield f"message.content.{kind}"
    elif "parts" in content and holds(content.get("text")):
        yield "message.content.text"
