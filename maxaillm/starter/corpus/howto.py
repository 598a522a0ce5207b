"""How-to questions about everyday programs: other words for an act lead to the same answer."""

from __future__ import annotations

import random

from maxaillm.starter.corpus.document import Turn, capital, table
from maxaillm.starter.corpus.phrasing import (
    HOW,
    MAY,
    NEED,
    PURPOSE,
    RESULT,
    STATE,
    WHERE,
    WHICH,
    phrase,
)

ACTIONS = {
    verb: ([verb, *(word.strip() for word in words.split(","))], button.strip())
    for verb, words, button in (
        (*line.split("|")[0].split(":"), line.split("|")[1]) for line in table("actions")
    )
}
OBJECTS = [tuple(part.strip() for part in line.split("|")) for line in table("objects")]
PLACES: dict[str, list[str]] = {}
for _obj, _place in OBJECTS:
    PLACES.setdefault(_place, []).append(_obj)
STATES = [tuple(part.strip() for part in line.split("|")) for line in table("states")]
QUALITIES = ("", "", "", "old ", "new ", "long ", "big ", "whole ", "wrong ", "last ", "shared ")
OWNERS = ("a", "a", "the", "my", "this", "that", "one", "another")
# What an act can't touch; the answer is no, and says what can be done.
FORBIDDEN = {"lock": "a game", "print": "a song", "sort": "an alarm", "edit": "a ticket"}


def exchange(rng: random.Random) -> list[Turn]:
    kinds = (steps, result, place, button_use, permission, trouble, need, state, choice)
    return rng.choices(kinds, (10, 2, 2, 2, 3, 2, 2, 2, 2))[0](rng)


def steps(rng: random.Random) -> list[Turn]:
    verb, obj, place_name = pick(rng)
    words, button = ACTIONS[verb]
    question = phrase(rng, HOW, f"{rng.choice(words)} {dressed(rng, obj)}")
    answer = f"To {verb} {obj}, open {place_name} and press {button}."
    return [("user", question), ("assistant", answer)]


def result(rng: random.Random) -> list[Turn]:
    verb, obj, place_name = pick(rng)
    words, button = ACTIONS[verb]
    question = phrase(rng, RESULT, f"{rng.choice(words)} {dressed(rng, obj)}")
    return [("user", question), ("assistant", f"You see it in {place_name}: {button} was pressed.")]


def need(rng: random.Random) -> list[Turn]:
    """Whether a thing is needed depends on where it is kept: half of the places are optional."""
    _, obj, place_name = pick(rng)
    if sorted(PLACES).index(place_name) % 2:
        answer = f"It works without {obj}; only {place_name} is not used then."
    else:
        answer = f"It needs {obj}, which you make in {place_name}."
    return [("user", phrase(rng, NEED, dressed(rng, obj))), ("assistant", answer)]


def state(rng: random.Random) -> list[Turn]:
    name, meaning = rng.choice(STATES)
    return [("user", phrase(rng, STATE, name)), ("assistant", f"{name.capitalize()}: {meaning}.")]


def choice(rng: random.Random) -> list[Turn]:
    """What a place holds: a list that is always in the same order."""
    place_name = rng.choice([name for name, objects in PLACES.items() if len(objects) > 1])
    nouns = [plural(obj.split(" ", 1)[1]) for obj in PLACES[place_name]]
    question = phrase(rng, WHICH, f"{rng.choice(('things', 'kinds', 'parts'))} in {place_name}")
    return [("user", question), ("assistant", capital(f"{', '.join(nouns[:-1])} and {nouns[-1]}."))]


def place(rng: random.Random) -> list[Turn]:
    _, obj, place_name = pick(rng)
    question = phrase(rng, WHERE, dressed(rng, obj))
    answer = f"You find {obj} in {place_name}."
    return [("user", question), ("assistant", answer)]


def button_use(rng: random.Random) -> list[Turn]:
    verb, _, _ = pick(rng)
    _, button = ACTIONS[verb]
    question = phrase(rng, PURPOSE, f"the button {button}")
    return [("user", question), ("assistant", f"The button {button} is there to {verb} things.")]


def permission(rng: random.Random) -> list[Turn]:
    verb, obj, _ = pick(rng)
    words, button = ACTIONS[verb]
    if rng.random() < 0.3:
        verb = rng.choice(sorted(FORBIDDEN))
        obj, words = FORBIDDEN[verb], ACTIONS[verb][0]
        answer = f"No, you can't {verb} {obj}, but you can look at it."
    else:
        answer = f"Yes, you can {verb} {obj}. The button is {button}."
    question = phrase(rng, MAY, f"{rng.choice(words)} {dressed(rng, obj)}")
    return [("user", question), ("assistant", answer)]


def trouble(rng: random.Random) -> list[Turn]:
    _, obj, place_name = pick(rng)
    noun = obj.split(" ", 1)[1]
    problem, advice = rng.choice((
        (("is gone", "is missing", "has disappeared", "is not there any more"), "restore it from"),
        (("does not open", "can't be opened", "stays closed"), "unlock it in"),
        (("is too large", "is too big", "takes too much room"), "make it smaller in"),
        (("is wrong", "has a mistake", "is not right", "contains an error"), "correct it in"),
    ))  # fmt: skip
    question = rng.choice(
        ("My {} {}. What now?", "The {} {}.", "What if my {} {}?", "Why {1}: {0}")
    )
    answer = f"If {obj} {problem[0]}, {advice} {place_name}."
    return [("user", question.format(noun, rng.choice(problem))), ("assistant", answer)]


def pick(rng: random.Random) -> tuple[str, str, str]:
    obj, place_name = rng.choice(OBJECTS)
    return rng.choice(list(ACTIONS)), obj, place_name


def dressed(rng: random.Random, obj: str) -> str:
    """The object as people name it: with an owner, a quality, or as many."""
    noun = obj.split(" ", 1)[1]
    if rng.random() < 0.25:
        return f"{rng.choice(('', 'my ', 'all my ', 'some ', 'several '))}{plural(noun)}"
    quality = rng.choice(QUALITIES)
    owner = rng.choice(OWNERS)
    first = (quality or noun)[0]
    return f"{'an' if owner == 'a' and first in 'aeiou' else owner} {quality}{noun}"


def plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "z")) else "s")
