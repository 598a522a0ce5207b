"""Talking to a model."""

from __future__ import annotations

import sys
from typing import Any

import click

from maxft_client.errors import FailedError
from maxft_client.site.connection import Site, events_of
from maxft_client.site.finding import find
from maxft_client.terminal.screen import Screen, json_option
from maxft_client.terminal.text import plain

Message = dict[str, Any]


@click.command()
@click.argument("model")
@click.argument("prompt", required=False)
@click.option("--system", help="What the model is told first.")
@click.option("--max-tokens", type=click.IntRange(1))
@click.option("--temperature", type=click.FloatRange(0, 2))
@click.option("--seed", type=int)
@json_option
def chat(
    *,
    model: str,
    prompt: str | None,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Talk to MODEL (number or name): one PROMPT, what stdin holds, or, on a terminal, a talk.

    A talk ends with Ctrl-D.
    """
    screen, site = Screen(as_json=as_json), Site()
    options = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    given = {name: value for name, value in options.items() if value is not None}
    name = find(site, "models", model)["name"] if model.isdigit() else model
    request = {"model": name, "stream": True, "stream_options": {"include_usage": True}, **given}
    talk = [Message(role="system", content=system)] if system else []
    if prompt is None and sys.stdin.isatty():
        converse(screen, site, request, talk)
        return
    talk.append(Message(role="user", content=sys.stdin.read() if prompt is None else prompt))
    answer = ask(screen, site, {**request, "messages": talk})
    if as_json:
        screen.document(answer)


def converse(screen: Screen, site: Site, request: Message, talk: list[Message]) -> None:
    """One turn after the other, until Ctrl-D."""
    import readline  # noqa: F401 - lines can be edited

    while True:
        try:
            question = input("> ")
        except EOFError:
            screen.say("")
            return
        if not question.strip():
            continue
        talk.append(Message(role="user", content=question))
        answer = ask(screen, site, {**request, "messages": talk})
        talk.append(Message(role="assistant", content=answer["content"]))
        if screen.as_json:
            screen.document(answer)


def ask(screen: Screen, site: Site, request: Message) -> Message:
    """An answer, shown while it comes: `{model, content, finish_reason, usage}`."""
    text, finish, usage = "", None, None
    with site.stream("POST", "/v1/chat/completions", json=request) as answer:
        for chunk in events_of(answer):
            if error := chunk.get("error"):
                raise FailedError(str(error.get("message")), "Ask again.", code="answer")
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices", []):
                piece = choice["delta"].get("content") or ""
                finish = choice.get("finish_reason") or finish
                text += piece
                if not screen.as_json:
                    click.echo(plain(piece), nl=False)
    if not screen.as_json:
        click.echo()
    return {"model": request["model"], "content": text, "finish_reason": finish, "usage": usage}
