"""Short stories with a beginning, a trouble and an end, and questions about them."""

from __future__ import annotations

import random

from maxaillm.starter.corpus.document import Document, ask
from maxaillm.starter.corpus.tasks import ADJECTIVES, NAMES, NOUNS

PLACES = (
    "the park", "the garden", "the forest", "the market", "the school", "the river", "the library",
    "the kitchen", "the beach", "the station", "the farm", "the museum", "the hill", "the harbour",
)  # fmt: skip
MOMENTS = ("One morning", "One day", "On a rainy day", "After lunch", "In the evening", "Last week")
COMPANIONS = (
    "a dog", "a cat", "an old man", "a little bird", "a kind woman", "a rabbit", "a teacher",
    "a fisherman", "a baker", "a sleepy owl", "a boy", "a girl",
)  # fmt: skip
OPENINGS = (
    "{moment} {hero} went to {place} with {thing}.",
    "Once there was a child called {hero}. {moment} {hero} took {thing} to {place}.",
    "{hero} liked {place} very much. {moment} {hero} brought {thing} along.",
    "{moment}, when the sun was up, {hero} walked to {place} and carried {thing}.",
)  # fmt: skip
MEETINGS = (
    "There {hero} met {friend}.", "On the way {hero} saw {friend}.",
    "Beside the path sat {friend}.", "Suddenly {friend} came closer.",
)  # fmt: skip
TROUBLES = (
    ("Then {hero} lost {thing} and began to cry.", "looked under every leaf and found {it}"),
    ("But {thing} broke into two pieces.", "knew how to mend {it} with some glue"),
    ("It began to rain and {thing} became wet.", "had a dry cloth and wiped {it} clean"),
    ("{hero} was hungry and had nothing to eat.", "shared some bread and an apple"),
    ("The way home was dark and {hero} was afraid.", "had a lamp and showed the way"),
    ("{hero} wanted to play, but nobody was there.", "knew a game and they played it together"),
    ("A strong wind took {thing} up into a tree.", "climbed up and brought {it} down"),
)  # fmt: skip
SPEECH = (
    '"Can you help me?" asked {hero}. "Yes, I can," said {friend}.',
    '"What is wrong?" asked {friend}. "I need some help," said {hero}.',
    '"Do not be sad," said {friend}. "We will try together."',
    '{hero} said, "Please help me." And {friend} was happy to help.',
)  # fmt: skip
ENDINGS = (
    "{hero} said thank you and went home with a smile.", "From then on they were good friends.",
    "{hero} learned that it is good to ask for help.", "That night {hero} slept well.",
    "They laughed, and the day was good again.", "At home {hero} told the story to everyone.",
)  # fmt: skip
REQUESTS = (
    "Tell me a story.", "Tell me a short story about {hero}.", "Write a story about {thing}.",
    "Can you tell a story that happens at {place}?", "A story with {friend}, please.",
)  # fmt: skip


def parts(rng: random.Random) -> dict[str, str]:
    return {
        "hero": rng.choice(NAMES),
        "thing": f"a {rng.choice([a for a in ADJECTIVES if a[0] not in 'aeiou'])} "
        f"{rng.choice(NOUNS)}",
        "place": rng.choice(PLACES),
        "friend": rng.choice(COMPANIONS),
        "moment": rng.choice(MOMENTS),
        "it": "it",
    }


def tell(rng: random.Random, names: dict[str, str]) -> str:
    trouble, help_given = rng.choice(TROUBLES)
    later = {**names, "friend": f"the {names['friend'].split(' ', 1)[1]}"}
    later["thing"] = f"the {names['thing'].split()[-1]}"
    sentences = (
        rng.choice(OPENINGS).format(**names),
        rng.choice(MEETINGS).format(**names),
        trouble.format(**later),
        rng.choice(SPEECH).format(**later),
        f"{later['friend'][:1].upper()}{later['friend'][1:]} {help_given}.".format(**later),
        rng.choice(ENDINGS).format(**later),
    )
    return " ".join(sentences)


def story(rng: random.Random) -> Document:
    """A story on request, or as plain text."""
    names = parts(rng)
    text = tell(rng, names)
    if rng.random() < 0.4:
        return text
    return [("user", rng.choice(REQUESTS).format(**names)), ("assistant", text)]


def reading(rng: random.Random) -> Document:
    """A story and a question that only its reader can answer."""
    names = parts(rng)
    text = tell(rng, names)
    hero, place, friend, thing = (names[key] for key in ("hero", "place", "friend", "thing"))
    question, answer = rng.choice((
        ("Who is the story about?", f"The story is about {hero}."),
        (f"Where was {hero}?", f"{hero} was at {place}."),
        ("Where does the story happen?", f"The story happens at {place}."),
        (f"Whom did {hero} meet?", f"{hero} met {friend}."),
        (f"Who helped {hero}?", f"It was {friend}."),
        (f"What did {hero} take along?", f"{hero} took {thing}."),
        (f"What did {hero} have?", f"{hero} had {thing}."),
    ))  # fmt: skip
    if rng.random() < 0.5:
        return ask(f"{text} {question}", answer)
    return ask(f"{question} {text}", answer)
