"""Mixed languages: texts in another script or language than nearly all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, PrivateAttr

from maxaillm.dev.finetune.data.analysis.per_row import RowArrays
from maxaillm.dev.finetune.data.analysis.text_search import lengths_of, places_of
from maxaillm.dev.finetune.data.checks import Batch, Check, Issue, checks
from maxaillm.dev.finetune.data.columns.messages import MessagesColumn

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

OTHER_SCRIPT = r"[^\P{L}\p{Latin}]{4}"
LATIN, OTHER = 1, 2
MOSTLY_OTHER = 1.3
"""Bytes a character in UTF-8: Greek has 1.8, Chinese 2.7, French 1.05."""
CLIP = 250
STRIDE = 500
"""Behind the first rows, one of so many is looked at: a text takes 0.2 ms."""
CODE_SIGNS = frozenset("{}<>=;_()[]|\\/+*#$%")


class Guess(NamedTuple):
    """What language a text seems to be in."""

    row: int
    language: str
    snippet: str


@checks.register
class MixedLanguage(Check):
    """Of chats only the answers: of a translation, the question is in another language.

    The script of every text is looked at, the language of the first ones and of a part of the rest.
    """

    label: ClassVar[str] = "Other languages"
    why: ClassVar[str] = "A few rows in another language teach it badly, and disturb the others."
    advice: ClassVar[str] = "Drop the row, unless the model is to know that language too."
    fix: ClassVar[str | None] = "drop_rows"

    name: Literal["mixed_language"] = "mixed_language"
    max_share: float = Field(0.1, gt=0, lt=0.5, title="Largest share of texts that are others")
    min_rows: int = Field(20, ge=2, title="Fewest texts to judge by")
    max_rows: int = Field(1_500, gt=0, title="Texts whose language is looked at one by one")
    min_chars: int = Field(
        80, gt=0, title="Shortest text", json_schema_extra={"unit": "characters"}
    )
    min_probability: float = Field(0.9, gt=0, le=1, title="How sure the guess must be")
    _guesses: list[Guess] = PrivateAttr(default_factory=list)
    _languages: Counter[str] = PrivateAttr(default_factory=Counter)
    _texts: RowArrays = PrivateAttr(default_factory=RowArrays)
    _seen: int = PrivateAttr(0)
    _drawn: int = PrivateAttr(0)

    def see(self, batch: Batch) -> Iterator[Issue]:
        import pyarrow.compute as pc

        texts, numbers = batch.texts, np.array(batch.numbers, np.int64)
        is_chat = batch.kind.columns_of(MessagesColumn)
        meant = batch.is_answer if is_chat else np.ones(len(texts.rows), np.bool_)
        lengths = lengths_of(batch)
        long_enough = lengths >= self.min_chars
        bytes_a_char = pc.binary_length(texts.values).to_numpy() / np.maximum(lengths, 1)
        is_other = np.zeros(len(lengths), np.bool_)
        is_other[places_of(batch, OTHER_SCRIPT, bytes_a_char > MOSTLY_OTHER)] = True
        is_latin = long_enough & ~is_other
        scripts = np.where(is_latin, LATIN, np.where(is_other, OTHER, 0))
        known = meant & (scripts > 0)
        self._texts.add(numbers[texts.rows[known]], scripts[known].astype(np.int8))
        places = np.flatnonzero(meant & long_enough)
        room = self.max_rows - self._seen
        is_drawn = (np.arange(len(places)) < room) | (numbers[texts.rows[places]] % STRIDE == 0)
        self._seen += len(places)
        self._drawn += int(is_drawn.sum())
        for place in places[is_drawn].tolist():
            text = texts.values[place].as_py()
            self.guess(int(numbers[texts.rows[place]]), text[:CLIP])
        yield from ()

    def guess(self, number: int, text: str) -> None:
        if sum(map(CODE_SIGNS.__contains__, text)) > len(text) / 30:
            return
        language, probability = identifier().classify(text)
        if probability >= self.min_probability:
            self._languages[language] += 1
            self._guesses.append(Guess(number, language, text[:80]))

    def conclude(self) -> Iterator[Issue]:
        told: set[int] = set()
        for issue in self.other_scripts():
            told.add(issue.row or 0)
            yield issue
        others = [guess for guess in self.other_languages() if guess.row not in told]
        for number, language, snippet in others:
            yield Issue(number, f"This seems to be of the language {language!r}.", snippet)
        if others and self._drawn < self._seen:
            message = (
                f"{len(others):,} of {self._drawn:,} texts are in other languages; "
                f"the language of the other {self._seen - self._drawn:,} was not looked at."
            )
            yield Issue(None, message)

    def other_languages(self) -> list[Guess]:
        """The guesses that differ from nearly all."""
        if self._languages.total() < self.min_rows:
            return []
        usual = self._languages.most_common(1)[0][0]
        others = [guess for guess in self._guesses if guess.language != usual]
        return others if len(others) <= self.max_share * len(self._guesses) else []

    def other_scripts(self) -> Iterator[Issue]:
        """The texts in Latin letters where most have others, and the other way round."""
        if not len(self._texts):
            return
        numbers, scripts = self._texts.whole()
        latin, other = int((scripts == LATIN).sum()), int((scripts == OTHER).sum())
        if latin + other < self.min_rows:
            return
        few, rare = min((latin, LATIN), (other, OTHER))
        if few <= self.max_share * (latin + other):
            letters = "Latin letters" if rare == LATIN else "letters that are not Latin"
            message = f"This is in {letters}, as few texts are."
            for number in np.unique(numbers[scripts == rare]).tolist():
                yield Issue(number, message)


@cache
def identifier() -> LanguageIdentifier:
    """The model lies in the package: nothing is fetched."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
