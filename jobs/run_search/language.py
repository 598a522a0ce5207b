"""Query language of runs: words of the name, and conditions such as `lr>1e-4`."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from maxaillm.dev.finetune.errors import FineTuneError

Operator = Literal[":", "=", "!=", "<", "<=", ">", ">="]
MOST_CHARACTERS = 300
GRAMMAR = r"""
start: term*
term: [NOT] (FIELD OPERATOR (QUOTED | VALUE) | QUOTED | WORD)
NOT: /-(?=\S)/
FIELD.2: /[A-Za-z_][\w.]*(?=\s*(?:[:=<>]|!=))/
OPERATOR: /<=|>=|!=|[:=<>]/
QUOTED: /"[^"]*"/
VALUE: /[^\s"]+/
WORD: /[^\s"<>=:!-][^\s"<>=:]*/
%ignore /\s+/
"""


class QueryError(FineTuneError):
    """A search that can't be understood: one sentence, with the place."""

    code = "query"
    status = 422


class Condition(NamedTuple):
    """One term of a query. `field` is empty for words of the name; places count from 1."""

    field: str
    operator: Operator
    value: str
    is_negated: bool
    place: int
    value_place: int


class Conditions(Transformer[Token, list[Condition]]):
    """Lark's tree as a list."""

    def start(self, terms: list[Condition]) -> list[Condition]:
        return terms

    def term(self, parts: list[Token | None]) -> Condition:
        minus, *rest = parts
        tokens = [token for token in rest if token is not None]
        field, operator = ("", ":") if len(tokens) == 1 else (str(tokens[0]), str(tokens[1]))
        place, value_place = ((token.start_pos or 0) + 1 for token in (tokens[0], tokens[-1]))
        value = str(tokens[-1])
        if tokens[-1].type == "QUOTED":
            value = value[1:-1]
        return Condition(
            field, cast(Operator, operator), value, minus is not None, place, value_place
        )


PARSER = Lark(GRAMMAR, parser="lalr", lexer="contextual")


def parse(text: str) -> list[Condition]:
    """The conditions of a query, all of which have to hold. Raises QueryError."""
    if len(text) > MOST_CHARACTERS:
        raise QueryError(
            f"The search has {len(text):,} characters; {MOST_CHARACTERS} are read.", "Shorten it."
        )
    try:
        found: Any = Conditions().transform(PARSER.parse(text))
    except UnexpectedInput as error:
        raise misread(text, error) from None
    return cast(list[Condition], found)


def misread(text: str, error: UnexpectedInput) -> QueryError:
    at = error.pos_in_stream
    if not isinstance(error, UnexpectedCharacters) and getattr(error, "token", "") == "":
        return QueryError(f"The search ends after “{text.strip()[-20:]}”.", "Say what to look for.")
    at = len(text) if at is None else at
    character = text[at : at + 1]
    if character == '"':
        return QueryError(
            f"The quotation mark at position {at + 1} is not closed.", "Add one at the end."
        )
    return QueryError(
        f"“{character}” at position {at + 1} has no setting before it.",
        'Write a setting first, as in lr>1e-4, or put words of a name into quotation marks: "a:b".',
    )


def unknown(what: str, value: str, place: int, known: Iterable[str]) -> QueryError:
    """Of a name that is none, with the nearest one that is."""
    names = list(known)
    nearest = get_close_matches(value.lower(), names, n=1)
    hint = f"Did you mean {nearest[0]}?" if nearest else f"Known are {', '.join(names[:12])}."
    return QueryError(f"“{value[:40]}” at position {place} is no {what}.", hint)
