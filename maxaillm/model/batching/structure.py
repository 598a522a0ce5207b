"""Structured output: which tokens may come next, so that an answer is JSON that fits a schema."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.hf import from_tokenizer
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers import PreTrainedTokenizerFast

from maxaillm.dev.finetune.errors import FineTuneError, ModelError
from maxaillm.model.sampling import SamplingOptions

LIMITS = LLParserLimits(
    initial_lexer_fuel=200_000,
    step_lexer_fuel=50_000,
    max_items_in_row=500,
    max_lexer_states=50_000,
    max_grammar_size=100_000,
    precompute_large_lexemes=False,
)
"""A fraction of the library's own: a token may cost milliseconds, for all who are answered."""


SPACE = r"( ?|\n {0,20})"
"""Between the signs of a document: with any white space a model may write nothing else."""


class SchemaRefusedError(FineTuneError):
    """A JSON schema that is none, asks for what is not known, or costs too much."""

    code = "schema_refused"
    status = 400


class Grammars:
    """Makes the matchers of answers of one model, [vocabulary] being the width of its scores."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int, ends: list[int]) -> None:
        self.tokenizer, self.vocabulary, self.ends = tokenizer, vocabulary, ends
        self.known: LLTokenizer | None = None

    def matcher(self, options: SamplingOptions) -> Matcher | None:
        """Takes half a second the first time. Raises SchemaRefusedError."""
        if not options.is_structured:
            return None
        schema = options.json_schema if options.json_schema is not None else {"type": "object"}
        if self.known is None:
            self.known = self.read_tokenizer()
        made = LLMatcher(self.known, grammar_of(json.dumps(schema)), log_level=0, limits=LIMITS)
        if made.is_error():
            raise refused(made.get_error())
        return Matcher(made, self.vocabulary)

    def read_tokenizer(self) -> LLTokenizer:
        if not isinstance(self.tokenizer, PreTrainedTokenizerFast):
            raise ModelError(
                "This model's tokenizer can't be kept to a JSON schema.",
                "Choose a model with a tokenizer.json, or ask without a response format.",
            )
        try:
            return from_tokenizer(self.tokenizer, self.vocabulary, self.ends)
        except ValueError as error:
            raise ModelError(
                f"This model's tokenizer can't be kept to a JSON schema: {first_line(error)}",
                "Choose another model, or ask without a response format.",
            ) from error


@lru_cache(64)
def grammar_of(schema: str) -> str:
    return str(LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_pattern": SPACE}))


def first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]


def refused(error: str) -> SchemaRefusedError:
    return SchemaRefusedError(
        f"The JSON schema can't be kept to: {first_line(error)}", "Simplify the schema."
    )


class Matcher:
    """The state of one answer in its grammar. It sees tokens as they were made."""

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        self.matcher, self.vocabulary = matcher, vocabulary

    def allowed(self) -> NDArray[np.bool_]:
        """Of each token whether it may come next. Raises SchemaRefusedError."""
        bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
        if self.matcher.is_error():
            raise refused(self.matcher.get_error())
        seen = np.unpackbits(bits, bitorder="little")[: self.vocabulary]
        short = self.vocabulary - len(seen)
        return (np.pad(seen, (0, short)) if short else seen).astype(bool)

    def take(self, token: int) -> bool:
        """Note a token of the answer. False where the document is whole: nothing may follow."""
        self.matcher.consume_token(token)
        if self.matcher.is_error():
            raise refused(self.matcher.get_error())
        return not self.matcher.is_stopped()
