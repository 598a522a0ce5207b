"""Copies of a chat: a branch that goes on from an earlier turn, and files to take along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from uuid import uuid4

from django.db import transaction

from jobs.models import Answer, Conversation
from jobs.services.playground import STREAMING, shorten
from maxaillm.dev.finetune.errors import FineTuneError


def branch(*, conversation: Conversation, turn: int) -> Conversation:
    """A new chat that holds `conversation` up to and with `turn`; the old one stays as it is.

    Raises FineTuneError where there is nothing to copy, or an answer is still being written.
    """
    answers = list(conversation.answers.filter(turn__lte=turn))
    if not answers:
        raise FineTuneError("There is no such question in this chat.", "Reload the page.")
    if any(answer.status == STREAMING for answer in answers):
        raise FineTuneError("An answer is still being written.", "Wait for it, or stop it.")
    with transaction.atomic():
        copy = Conversation.objects.create(
            owner=conversation.owner,
            title=shorten(f"{conversation.title} (branch)", 120),
            left=conversation.left,
            right=conversation.right,
            system_prompt=conversation.system_prompt,
        )
        for answer in answers:
            answer.pk, answer.conversation = uuid4(), copy
            answer._state.adding = True
        Answer.objects.bulk_create(answers)
    return copy


def turns_said(conversation: Conversation) -> Iterator[list[Answer]]:
    """The answers to each question, left first."""
    answers = conversation.answers.select_related("model")
    return (list(found) for _, found in groupby(answers, lambda answer: answer.turn))


def as_markdown(conversation: Conversation) -> str:
    """The chat for people: each question, then the answers under their models' names."""
    parts = [f"# {conversation.title}"]
    if conversation.system_prompt.strip():
        parts.append(f"*System prompt:* {conversation.system_prompt.strip()}")
    for answers in turns_said(conversation):
        parts.append(f"## You\n\n{answers[0].question}")
        parts += [f"## {answer.model.short_name}\n\n{answer.text}" for answer in answers]
    return "\n\n".join(parts) + "\n"


def as_json_lines(conversation: Conversation) -> str:
    """The chat as training data, a conversation of `messages` for each column that answered.

    An answer that failed or that judges a text is no message; what was stopped is what it says.
    """
    columns: dict[int, list[dict[str, str]]] = {}
    for answers in turns_said(conversation):
        for answer in answers:
            if answer.text:
                said = columns.setdefault(answer.column, [])
                said.append({"role": "user", "content": answer.question})
                said.append({"role": "assistant", "content": answer.text})
    system = conversation.system_prompt.strip()
    opening = [{"role": "system", "content": system}] if system else []
    lines = (
        json.dumps({"messages": opening + said}, ensure_ascii=False) for said in columns.values()
    )
    return "".join(f"{line}\n" for line in lines)
