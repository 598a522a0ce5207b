"""Values of rows: texts, lists, turns of a conversation, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from maxaillm.dev.finetune.data.rows.column_templates import columns_in, pieces_of
from maxaillm.dev.finetune.data.rows.written_values import written_value

Row = Mapping[str, Any]
"""One record of a file: column name -> value, as parsed."""

Role = Literal["system", "user", "assistant", "tool"]

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "input": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "output": "assistant",
    "chatbot": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
}
"""What each role is called elsewhere -> what it is called here."""

METADATA = set(
    """
    id idx index uid uuid url uri link source origin title name author date time timestamp created
    lang language license split file filename path meta metadata md5 hash added token_count
    """.split()  # noqa: SIM905
)
"""Names of columns that there is nothing to learn from."""
VISIBLE = re.compile("[^\\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
FILLED_CHARS = 16 * 2**20
"""A template may name a long cell many times."""
KINDS = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    str: "text",
}


class RowProblem(NamedTuple):
    """What is wrong with a row; a row with a problem is not trained on."""

    code: str
    message: str
    fix: str = ""


class Turn(NamedTuple):
    """What one side says in a conversation."""

    role: Role
    content: str
    weight: float | None = None
    reasoning: str = ""
    """What the assistant thinks before it answers."""
    calls: tuple[Mapping[str, str], ...] = ()
    """The tools that the assistant calls: see `messages.ToolCall`."""
    name: str = ""
    """Of a tool that answers, or of one of several people who speak."""
    call_id: str = ""
    """The call that a tool answers."""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing, asks for nothing, and thinks nothing."""
        return not (self.calls or VISIBLE.search(self.content) or VISIBLE.search(self.reasoning))

    @property
    def is_learned(self) -> bool:
        return self.role == "assistant" and self.weight != 0


def is_blank(text: str) -> bool:
    """Whether `text` shows nothing: also where it has no-break or zero-width spaces."""
    return VISIBLE.search(text) is None


def cell_of(row: Row, column: str) -> Any:
    """The value in `column`; of a template over columns, the text that it makes of the row.

    None where there is no such column, or one that the template needs is not filled.
    """
    if column in row or "{" not in column:
        return row.get(column)
    text = filled(row, column)
    return text if isinstance(text, str) else None


def filled(row: Row, template: str) -> str | RowProblem | None:
    """The text that `template` makes of the row, or why it makes none; None of no template."""
    for column in columns_in(template):
        value = row.get(column)
        if not isinstance(value, str | int | float) or value == "":
            problem = text_problem(row, column) or wrong_type(column, value)
            return problem._replace(fix=f"Fill it in, or take {{{column}}} out of the template.")
    pieces = [written(row[text]) if is_column else text for text, is_column in pieces_of(template)]
    if sum(map(len, pieces)) > FILLED_CHARS:
        message = f"The template makes more than {FILLED_CHARS:,} characters of this row."
        return RowProblem("too_long", message, "Shorten the row, or remove it.")
    return "".join(pieces) if columns_in(template) else None


def written(value: str | float) -> str:
    """A cell as it goes into a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def template_problem(row: Row, column: str) -> RowProblem | None:
    """Why `column`, where it is a template, makes no text of the row."""
    text = filled(row, column) if "{" in column and column not in row else None
    return text if isinstance(text, RowProblem) else None


def text_problem(row: Row, column: str) -> RowProblem | None:
    """Why the cell in `column` is no text that can be learned from, or None."""
    value = cell_of(row, column)
    if isinstance(value, str) and VISIBLE.search(value):
        return None
    if column not in row:
        missing = RowProblem("missing", f"The column {column!r} is missing.", "Fill it in.")
        return template_problem(row, column) or missing
    if value is None:
        return RowProblem("null", f"{column!r} is null.", "Fill it in or remove the row.")
    if not isinstance(value, str):
        return wrong_type(column, value)
    if value:
        message = f"{column!r} holds nothing but blank characters."
        return RowProblem("blank", message, "Fill it in or remove the row.")
    return RowProblem("empty", f"{column!r} is empty.", "Fill it in or remove the row.")


def optional_text_problem(row: Row, column: str | None) -> RowProblem | None:
    """Why the cell in `column`, which may well be empty or missing, is not text."""
    value = cell_of(row, column) if column is not None else None
    if value is None:
        return template_problem(row, column) if column is not None else None
    return None if isinstance(value, str) else wrong_type(str(column), value)


def wrong_type(where: str, value: object, wanted: str = "text") -> RowProblem:
    kind = KINDS.get(type(value), type(value).__name__)
    return RowProblem("wrong_type", f"{where!r} is {kind}, not {wanted}.", f"Write it as {wanted}.")


def first_problem(problems: Iterable[RowProblem | None]) -> RowProblem | None:
    return next((problem for problem in problems if problem is not None), None)


def text_of(row: Row, column: str | None) -> str:
    """The text in `column`; "" where it is empty, null, missing or no column is meant."""
    value = cell_of(row, column) if column is not None else None
    return value if isinstance(value, str) and not is_blank(value) else ""


def items_of(value: object) -> list[Any] | None:
    """`value` where it is a list; a table's cell may hold one written as JSON."""
    if isinstance(value, str) and is_between(value, "[", "]"):
        value = written_value(value)
    return value if isinstance(value, list) else None


def object_of(value: object) -> dict[str, Any] | None:
    """`value` where it is an object; a table's cell may hold one written as JSON."""
    if isinstance(value, str) and is_between(value, "{", "}"):
        value = written_value(value)
    return value if isinstance(value, dict) else None


def is_between(text: str, first: str, last: str) -> bool:
    """Whether `text` begins and ends like this, blanks aside: what does not is not parsed."""
    return text.lstrip()[:1] == first and text.rstrip()[-1:] == last


def list_problem(row: Row, column: str, wanted: str) -> RowProblem | None:
    """Why the cell in `column` is no list with something in it, or None."""
    value = row.get(column)
    if items_of(value):
        return None
    if value == [] or (isinstance(value, str) and value.strip() == "[]"):
        return RowProblem("empty", f"{column!r} is empty.", "Fill it in or remove the row.")
    if isinstance(value, str) and not is_blank(value):
        return wrong_type(column, value, f"{wanted}, written as JSON")
    if isinstance(value, int | float | dict):
        return wrong_type(column, value, wanted)
    return text_problem(row, column)


def turn_problem(turns: Sequence[Turn]) -> RowProblem | None:
    """Why `turns` are no conversation that ends with an answer to learn, or None.

    In which order the others speak is no matter of the data: a model's template may refuse it.
    """
    for number, turn in enumerate(turns, start=1):
        if turn.role in ("user", "assistant") and turn.is_empty:
            message = f"Turn {number} ({turn.role}) is empty."
            return RowProblem("empty_turn", message, "Fill it in or remove the row.")
    roles = [turn.role for turn in turns]
    if "assistant" not in roles:
        fix = "Add what the assistant is to answer."
        return RowProblem("no_answer", "The assistant has no turn: nothing can be learned.", fix)
    if not {"user", "tool"} & set(roles):
        fix = "Add what the assistant answers to."
        return RowProblem("no_prompt", "Nobody but the assistant speaks: nothing is asked.", fix)
    if roles[-1] != "assistant":
        message = f"The last turn is of the role {roles[-1]}; no answer follows it."
        return RowProblem("no_last_answer", message, "Add the answer or remove the last turn.")
    if not any(turn.is_learned for turn in turns):
        fix = "Give an answer another weight, or remove the row."
        return RowProblem("nothing_learned", "Every answer has the weight 0.", fix)
    return None


def role_of(value: object, number: int) -> Role | RowProblem:
    """The role that `value` stands for in turn `number`."""
    if isinstance(value, str):
        role = ROLES.get(value) or ROLES.get(value.strip().lower())
        if role is not None:
            return role
    message = f"Turn {number} is of the role {value!r:.60}, which is not known."
    return RowProblem("unknown_role", message, "Use system, user, assistant or tool.")


def is_mostly(sample: Sequence[Row], test: Callable[[Row], bool]) -> bool:
    """Whether at least half of the rows pass `test`: a few bad ones don't hide a format."""
    return bool(sample) and sum(map(test, sample)) * 2 >= len(sample)


def text_columns(sample: Sequence[Row]) -> dict[str, str]:
    """The columns that mostly hold text: name in small letters -> name."""
    return {
        name.strip().lower(): name
        for name in all_columns(sample)
        if is_mostly(sample, lambda row, name=name: isinstance(row.get(name), str))  # type: ignore[misc]
    }


def all_columns(sample: Sequence[Row]) -> list[str]:
    """Every column that occurs, in the order of first occurrence."""
    return list(dict.fromkeys(name for row in sample for name in row))


def columns_by_name(sample: Sequence[Row]) -> dict[str, str]:
    """Every column that occurs: name in small letters -> name."""
    return {name.strip().lower(): name for name in all_columns(sample)}


def list_column(
    sample: Sequence[Row], known: Sequence[str], is_item: Callable[[Any], bool]
) -> str | None:
    """The column that mostly holds lists of what `is_item` knows; `known` names come first."""

    def holds_items(row: Row, name: str) -> bool:
        items = items_of(row.get(name))
        return bool(items) and all(map(is_item, items[:2]))  # type: ignore[index]

    found = [
        name
        for name in all_columns(sample)
        if is_mostly(sample, lambda row, name=name: holds_items(row, name))  # type: ignore[misc]
    ]
    named = [name for name in known if name in found]
    if named:
        return named[0]
    return found[0] if len(found) == 1 else None
