"""Many ways to ask one thing: what makes a model answer the meaning and not the wording."""

from __future__ import annotations

import random

HOW = (
    "How do I {}?", "How can I {}?", "How to {}?", "How does one {}?", "How would I {}?",
    "What is the way to {}?", "What must I do to {}?", "What do I do to {}?",
    "What are the steps to {}?", "Tell me how to {}.", "Please explain how to {}.",
    "Can you show me how to {}?", "I want to {}. What do I do?", "I need to {}. How?",
    "I would like to {}. How does that work?", "Is there a way to {}?", "Which button lets me {}?",
    "Where can I {}?", "What is needed to {}?", "Could you help me {}?", "I am trying to {}.",
    "What if I want to {}?", "how to {}", "{}, how does it work?",
)  # fmt: skip
WHAT = (
    "What is {}?", "What does {} mean?", "What is meant by {}?", "Explain {}.", "Define {}.",
    "Tell me what {} is.", "Please tell me about {}.", "Can you explain {}?", "what's {}?",
    "I do not know {}. What is it?", "What do people call {}?", "Describe {} in one sentence.",
    "What kind of thing is {}?", "How would you explain {} to a child?", "The meaning of {}?",
    "I keep reading about {}. What is it?", "In short, what is {}?", "What exactly is {}?",
)  # fmt: skip
WHERE = (
    "Where is {}?", "Where can I find {}?", "Where do I find {}?", "Where do you keep {}?",
    "Where would I look for {}?", "In which place is {}?", "Where can {} be found?",
    "Tell me where {} is.", "I am looking for {}. Where is it?", "Which place has {}?",
)  # fmt: skip
PURPOSE = (
    "What is {} for?", "What is the use of {}?", "What do you do with {}?", "Why do I need {}?",
    "What is {} good for?", "What does {} do?", "What is the purpose of {}?", "Why use {}?",
    "When do I use {}?", "What can I do with {}?", "What is {} used for?", "Why is there {}?",
)  # fmt: skip
MAY = (
    "Can I {}?", "May I {}?", "Is it possible to {}?", "Am I allowed to {}?", "Is it OK to {}?",
    "Could I {}?", "Does it let me {}?", "Is there any way to {}?", "Will I be able to {}?",
)  # fmt: skip
NEED = (
    "Do I need {}?", "Must I have {}?", "Is {} required?", "Is {} necessary?", "Is {} needed?",
    "Do I have to have {}?", "Can I do without {}?", "Does it work without {}?", "I have no {0}.",
    "What if I have no {}?", "Will it work without {}?", "Is it possible without {}?",
)  # fmt: skip
STATE = (
    "What does the status {} mean?", "What is meant by the status {}?", "The page says {}. Why?",
    "Why is it {}?", "It says {}. What does that mean?", "What does {} mean here?",
    "What does it mean when it is {}?", "The status is {}. What now?", "When is it {}?",
)  # fmt: skip
WHICH = (
    "Which {} are there?", "What kinds of {} are there?", "Which {} can I choose?",
    "Which {} are allowed?", "What {} can I use?", "Which types of {} do you know?",
    "Tell me the {}.", "Which {} are accepted?", "What {} are supported?", "List the {}.",
)  # fmt: skip
RESULT = (
    "What happens when I {}?", "What happens if I {}?", "What if I {}?", "I {} by mistake.",
    "May I {} or is that bad?", "Is it bad to {}?", "What comes after I {}?", "I {}. What now?",
)  # fmt: skip
OPENINGS = ("Hello. ", "Hi! ", "Please: ", "Excuse me. ", "One question: ", "Quick question. ")
CLOSINGS = (" Thanks.", " Thank you!", " Please.", " I am new here.", " I am not sure.")


def phrase(rng: random.Random, forms: tuple[str, ...], subject: str) -> str:
    """Put the subject into one of the forms; now and then in small letters or with courtesy."""
    question = rng.choice(forms).format(subject)
    draw = rng.random()
    if draw < 0.06:
        return rng.choice(OPENINGS) + question
    if draw < 0.12:
        return question[:1].upper() + question[1:] + rng.choice(CLOSINGS)
    if draw < 0.2:
        return question.lower().rstrip("?.")
    return question[:1].upper() + question[1:]
