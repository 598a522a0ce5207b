"""Everyday questions and answers: things, animals, capitals, words, numbers, the calendar."""

from __future__ import annotations

import random

from maxaillm.starter.corpus.document import Turn, article, ask, pairs, table
from maxaillm.starter.corpus.phrasing import PURPOSE, WHAT, WHERE, phrase

THINGS = [tuple(part.strip() for part in line.split("|")) for line in table("things")]
TERMS = [tuple(part.strip() for part in line.split("|")) for line in table("terms")]
ANIMALS = [tuple(part.strip() for part in line.split("|")) for line in table("animals")]
CAPITALS = pairs("capitals")
OPPOSITES = pairs("opposites")
SYNONYMS = pairs("synonyms")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
COLOURS = {
    "grass": "green", "the sky": "blue", "snow": "white", "coal": "black", "a lemon": "yellow",
    "blood": "red", "a carrot": "orange", "chocolate": "brown", "an elephant": "grey",
    "a tomato": "red", "a banana": "yellow", "milk": "white", "a leaf": "green", "ink": "blue",
}  # fmt: skip
GREETINGS = (
    (("Hello!", "Hi", "Hi there!", "Good morning.", "Hey", "Good evening!"),
     "Hello! What can I do for you?"),
    (("How are you?", "How are you today?", "Are you well?", "How do you do?"),
     "I am well, thank you. What would you like to know?"),
    (("Thank you!", "Thanks a lot.", "Thanks, that helped.", "Great, thank you."),
     "You are welcome."),
    (("Goodbye!", "Bye", "See you later.", "Good night."), "Goodbye, and have a good day!"),
    (("Who are you?", "What are you?", "Are you a person?", "What is your name?"),
     "I am a very small language model. I know little, but I can learn."),
    (("What can you do?", "What do you know?", "Can you help me?", "What are you good at?"),
     "I answer simple questions and tell short stories. You can teach me more."),
)  # fmt: skip


def exchange(rng: random.Random) -> list[Turn]:
    kinds = (thing, term, animal, capital_city, words, arithmetic, dates, colour, greeting)
    return rng.choices(kinds, (10, 8, 4, 4, 5, 4, 3, 1, 1))[0](rng)


def thing(rng: random.Random) -> list[Turn]:
    name, definition, purpose, where = rng.choice(THINGS)
    verb = "are" if name == "scissors" else "is"
    forms, answer = rng.choice((
        (WHAT, f"{name} {verb} {definition}. You use it for {purpose}."),
        (PURPOSE, f"{name} {verb} for {purpose}."),
        (WHERE, f"you find {name} {where}."),
    ))  # fmt: skip
    if rng.random() < 0.15:
        return ask(riddle(rng, definition, purpose, where), f"that is {name}.")
    return ask(phrase(rng, forms, name), answer)


def term(rng: random.Random) -> list[Turn]:
    name, meaning = rng.choice(TERMS)
    return ask(phrase(rng, WHAT, name), f"{name} is {meaning}.")


def riddle(rng: random.Random, definition: str, purpose: str, where: str) -> str:
    return rng.choice((
        f"What is the word for {definition}?",
        f"What do you call {definition} for {purpose}?",
        f"Which thing is {where} and good for {purpose}?",
        f"I need something for {purpose}. What is it called?",
    ))  # fmt: skip


def animal(rng: random.Random) -> list[Turn]:
    name, young, sound, home, food, legs = rng.choice(ANIMALS)
    forms, answer = rng.choice((
        (("What is the young of {} called?", "What do you call a baby {}?", "Name a young {}."),
         f"A young {name} is called {article(young)}."),
        (("What sound does {} make?", "How does {} sound?", "What noise comes from {}?"),
         f"{article(name)} {sound}."),
        (("Where does {} live?", "What is the home of {}?", "Where does {} sleep?"),
         f"{article(name)} lives in {home}."),
        (("What does {} eat?", "What is the food of {}?", "What do you feed to {}?"),
         f"{article(name)} eats {food}."),
        (("How many legs does {} have?", "Count the legs of {}.", "{}: how many legs?"),
         f"{article(name)} has {legs} legs."),
    ))  # fmt: skip
    subject = name if "young" in answer else article(name)
    return ask(phrase(rng, forms, subject), answer)


def capital_city(rng: random.Random) -> list[Turn]:
    country, city = rng.choice(CAPITALS)
    country = country.replace("_", " ")
    if rng.random() < 0.25:
        other_way = (
            "In which country is {}?", "Where is {}?", "{} is the capital of which country?",
        )  # fmt: skip
        return ask(phrase(rng, other_way, city), f"{city} is the capital of {country}.")
    forms = (
        "What is the capital of {}?", "Which city is the capital of {}?", "Capital of {}?",
        "Name the capital of {}.", "What is the main city of {} called?", "{}: which capital?",
        "Do you know the capital of {}?", "Tell me the capital of {}.",
    )  # fmt: skip
    return ask(phrase(rng, forms, country), f"The capital of {country} is {city}.")


def words(rng: random.Random) -> list[Turn]:
    if rng.random() < 0.5:
        one, other = rng.choice(OPPOSITES)
        if rng.random() < 0.5:
            one, other = other, one
        forms = ("What is the opposite of {}?", "Give me the opposite of {}.", "Opposite of {}?",
                 "Which word means the contrary of {}?", "What is not {} at all?")  # fmt: skip
        return ask(phrase(rng, forms, one), f"the opposite of {one} is {other}.")
    one, other = rng.choice(SYNONYMS)
    forms = ("What is another word for {}?", "Say {} in another way.", "Which word means {}?",
             "Give a word with the same meaning as {}.", "A different word for {}?")  # fmt: skip
    return ask(phrase(rng, forms, one), f"another word for {one} is {other}.")


def arithmetic(rng: random.Random) -> list[Turn]:
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    sign, result = rng.choice((("plus", a + b), ("minus", a)))
    if sign == "minus":
        a = result + b
    written = rng.random() < 0.5 and max(a, b, result) < len(NUMBERS)
    first, second, total = (NUMBERS[n] if written else str(n) for n in (a, b, result))
    forms = ("What is {}?", "How much is {}?", "Compute {}.", "{}?", "Please work out {}.")
    return ask(
        phrase(rng, forms, f"{first} {sign} {second}"), f"{first} {sign} {second} is {total}."
    )


def dates(rng: random.Random) -> list[Turn]:
    names: tuple[str, ...] = rng.choice((DAYS, MONTHS))
    what = "day" if names is DAYS else "month"
    index = rng.randrange(len(names))
    name, after, before = names[index], names[(index + 1) % len(names)], names[index - 1]
    question, answer = rng.choice((
        (f"Which {what} comes after {name}?", f"{after} comes after {name}."),
        (f"What {what} follows {name}?", f"{after} comes after {name}."),
        (f"Which {what} comes before {name}?", f"{before} comes before {name}."),
        (f"What {what} is just before {name}?", f"{before} comes before {name}."),
        (f"How many {what}s are in a {'week' if names is DAYS else 'year'}?",
         "There are seven days in a week." if names is DAYS else
         "There are twelve months in a year."),
        (f"Name the {what}s.", f"The {what}s are {', '.join(names[:-1])} and {names[-1]}."),
    ))  # fmt: skip
    return ask(question, answer)


def colour(rng: random.Random) -> list[Turn]:
    name = rng.choice(list(COLOURS))
    forms = ("What colour is {}?", "Which colour does {} have?", "Tell me the colour of {}.")
    return ask(phrase(rng, forms, name), f"{name} is {COLOURS[name]}.")


def greeting(rng: random.Random) -> list[Turn]:
    questions, answer = rng.choice(GREETINGS)
    return ask(rng.choice(questions), answer)
