"""Small tasks on words that stand in the request: repeat, list, count, pick, rewrite."""

from __future__ import annotations

import random

from maxaillm.starter.corpus.document import Turn, ask, capital
from maxaillm.starter.corpus.everyday import NUMBERS, THINGS

NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Finn", "Grace", "Henry", "Ida", "Jack", "Kate",
    "Leo", "Mia", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Victor", "Wendy", "Zoe",
)  # fmt: skip
ADJECTIVES = (
    "red", "blue", "green", "small", "big", "old", "new", "soft", "heavy", "shiny", "broken",
    "wooden", "yellow", "round", "clean", "dusty", "warm", "empty", "lost", "pretty",
)  # fmt: skip
NOUNS = [name.split(" ", 1)[-1] for name, *_ in THINGS if len(name.split()) == 2]
VERBS = ("finds", "sees", "buys", "sells", "carries", "paints", "loses", "wants", "has", "likes")


def exchange(rng: random.Random) -> list[Turn]:
    kinds = (repeat, listing, counting, position, rewriting, extracting, spelling, teaching)
    return rng.choices(kinds, (3, 2, 2, 3, 3, 4, 1, 4))[0](rng)


def noun_phrase(rng: random.Random) -> str:
    return f"the {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"


def sentence(rng: random.Random) -> str:
    return f"{rng.choice(NAMES)} {rng.choice(VERBS)} {noun_phrase(rng)}"


def words(rng: random.Random, least: int = 3, most: int = 6) -> list[str]:
    return rng.sample(NOUNS, rng.randint(least, most))


def repeat(rng: random.Random) -> list[Turn]:
    text = rng.choice((sentence(rng), " ".join(words(rng))))
    form = rng.choice(("Repeat: {}", "Say this again: {}", "Copy this: {}", "Write: {}"))
    return [("user", form.format(text)), ("assistant", text)]


def listing(rng: random.Random) -> list[Turn]:
    chosen = words(rng)
    form = rng.choice(("Make a list of {}.", "List {}.", "Write {} as a list."))
    joined = f"{', '.join(chosen[:-1])} and {chosen[-1]}"
    return ask(form.format(joined), "\n".join(f"- {word}" for word in chosen))


def counting(rng: random.Random) -> list[Turn]:
    if rng.random() < 0.5:
        last = rng.randint(2, 12)
        form = rng.choice(("Count to {}.", "Count from one to {}.", "Say the numbers up to {}."))
        return ask(form.format(NUMBERS[last]), ", ".join(NUMBERS[1 : last + 1]) + ".")
    chosen = words(rng, 2, 7)
    form = rng.choice(("How many words are here: {}", "Count the words: {}"))
    return ask(form.format(" ".join(chosen)), f"There are {NUMBERS[len(chosen)]} words.")


def position(rng: random.Random) -> list[Turn]:
    chosen = words(rng)
    name, index = rng.choice((("first", 0), ("last", -1), ("second", 1)))
    form = rng.choice(("What is the {} word of: {}", "Which word comes {} in: {}", "{} word: {}"))
    return ask(form.format(name, " ".join(chosen)), f"The {name} word is {chosen[index]}.")


def rewriting(rng: random.Random) -> list[Turn]:
    text = sentence(rng)
    _, verb, rest = text.split(" ", 2)
    form, answer = rng.choice((
        ("Write in capitals: {}", text.upper()),
        ("Write in small letters: {}", text.lower()),
        ("Make a question: {}", f"Who {verb} {rest}?"),
        ("Put into the future: {}", f"Tomorrow {text}."),
        ("Make it polite: {}", f"Please note that {text}."),
        ("Turn around: {}", " ".join(reversed(text.split()))),
    ))  # fmt: skip
    return [("user", form.format(text)), ("assistant", answer)]


def extracting(rng: random.Random) -> list[Turn]:
    """A question on a sentence that is given: the answer must be copied from it."""
    facts = [(rng.choice(NAMES), rng.choice(VERBS), noun_phrase(rng)) for _ in range(3)]
    name, verb, what = facts[rng.randrange(rng.randint(1, 3))]
    text = " ".join(f"{a} {b} {c}." for a, b, c in facts)
    question, answer = rng.choice((
        (f"Who {verb} {what}?", f"{name} {verb} {what}."),
        (f"What is it that {name} {verb}?", f"{name} {verb} {what}."),
        (f"Is there a word for a colour or a quality of the {what.split()[-1]}?",
         f"Yes: {what.split()[1]}."),
    ))  # fmt: skip
    return ask(f"{text} {question}", answer)


def spelling(rng: random.Random) -> list[Turn]:
    word = rng.choice([noun for noun in NOUNS if len(noun) <= 7])
    form = rng.choice(("Spell {}.", "How do you spell {}?", "Which letters are in {}?"))
    return ask(form.format(word), "-".join(word.upper()))


def teaching(rng: random.Random) -> list[Turn]:
    """A made-up word is explained, then asked for: new facts are taken from the conversation."""
    syllables = (
        "ba",
        "do",
        "fi",
        "gu",
        "ka",
        "lo",
        "mi",
        "nu",
        "pe",
        "ra",
        "so",
        "ti",
        "vu",
        "zel",
    )
    word = "".join(rng.sample(syllables, rng.randint(2, 3)))
    meaning = noun_phrase(rng).replace("the", "a", 1)
    statement = rng.choice(("A {} is {}.", "We call {1} a {0}.", "The word {} means {}."))
    told = ask(statement.format(word, meaning), f"I see: a {word} is {meaning}.")
    question = rng.choice(("What is a {}?", "And what does {} mean?", "So what was a {} again?"))
    return [
        *told,
        ("user", question.format(word)),
        ("assistant", capital(f"a {word} is {meaning}.")),
    ]
