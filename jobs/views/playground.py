"""The playground: chats with one model or two side by side, answers as they are written."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import aget_object_or_404, get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.chat_form import SYSTEM_LIMIT, ChatForms
from jobs.inference_queue import requests
from jobs.inference_queue.stream_limit import StreamLimit
from jobs.models import Answer, ChatPreset, Conversation, LanguageModel, PromptSet
from jobs.services import playground as services
from jobs.services.playground import copies, saved
from jobs.views.request import Request
from maxaillm.dev.finetune.errors import FineTuneError
from maxft_site.web.errors import status_of
from maxft_site.web.formatting import typed_number

CHATS_PER_PAGE = 12
SETS_SHOWN = 20
STREAMING = Answer.Status.STREAMING
CHAT_FILES = {
    "md": ("text/markdown; charset=utf-8", copies.as_markdown),
    "jsonl": ("application/jsonl; charset=utf-8", copies.as_json_lines),
}
ENTRY_ID = re.compile(r"\d{1,15}-\d{1,10}")


class Turn(NamedTuple):
    """A question and its answers, left first."""

    number: int
    question: str
    answers: list[Answer]


def turns_of(chat: Conversation) -> list[Turn]:
    answers = chat.answers.select_related("model")
    grouped = ((number, list(found)) for number, found in groupby(answers, lambda a: a.turn))
    return [Turn(number, found[0].question, found) for number, found in grouped]


def visible_chat(request: Request, pk: int) -> Conversation:
    return get_object_or_404(Conversation.objects.visible_to(request.user), pk=pk)


def visible_answer(request: Request, pk: UUID) -> Answer:
    found = Answer.objects.visible_to(request.user).select_related("model", "conversation")
    return get_object_or_404(found, pk=pk)


@require_http_methods(["GET", "POST"])
def playground(request: Request) -> HttpResponse:
    """A new chat: `?model=ID&beside=base` chooses with whom."""
    forms = ChatForms(request.POST or None, user=request.user, chat=None, asked=request.GET.dict())
    if request.method == "GET":
        return show(request, None, forms)
    if not forms.are_valid():
        return refuse(request, None, forms, None)
    try:
        chat = services.open_chat(
            owner=request.user,
            models=forms.chat.models,
            system_prompt=forms.chat.cleaned_data["system_prompt"],
            question=forms.chat.cleaned_data["question"],
            options=forms.sampling,
        )
    except FineTuneError as error:
        return refuse(request, None, forms, error)
    return redirect(chat)


@require_http_methods(["GET", "POST"])
def conversation(request: Request, pk: int) -> HttpResponse:
    """A chat; POST asks the next question, or with `edit=TURN` another one in place of that."""
    chat = visible_chat(request, pk)
    forms = ChatForms(request.POST or None, user=request.user, chat=chat, asked=request.GET.dict())
    if request.method == "GET":
        return show(request, chat, forms)
    if not forms.are_valid():
        return refuse(request, chat, forms, None)
    question, edited = forms.chat.cleaned_data["question"], edited_turn(request)
    services.choose(
        conversation=chat,
        models=forms.chat.models,
        system_prompt=forms.chat.cleaned_data["system_prompt"],
    )
    try:
        if edited is None:
            answers = services.ask(conversation=chat, question=question, options=forms.sampling)
        else:
            answers = services.edit_and_resend(
                conversation=chat, turn=edited, question=question, options=forms.sampling
            )
    except FineTuneError as error:
        return refuse(request, chat, forms, error)
    if request.htmx and edited is None:
        turn = Turn(answers[0].turn, question, answers)
        return render(request, "jobs/_turn.html", {"turn": turn, "chat": chat})
    return redirect(chat)


def edited_turn(request: Request) -> int | None:
    return typed_number(request.GET.get("edit", ""))


def show(
    request: Request,
    chat: Conversation | None,
    forms: ChatForms,
    *,
    error: FineTuneError | None = None,
    status: int = 200,
) -> HttpResponse:
    chats = Conversation.objects.visible_to(request.user).select_related("left", "right")
    turns, edited = turns_of(chat) if chat else [], edited_turn(request)
    if edited is not None and not forms.chat.is_bound:
        forms.chat.initial["question"] = next(
            (turn.question for turn in turns if turn.number == edited), ""
        )
    context: dict[str, Any] = {
        "chat": chat,
        "forms": forms,
        "turns": turns,
        "edited": edited,
        "is_streaming": any(a.status == STREAMING for turn in turns for a in turn.answers),
        "page": Paginator(chats.order_by("-updated"), CHATS_PER_PAGE).get_page(
            request.GET.get("page")
        ),
        "presets": ChatPreset.objects.visible_to(request.user),
        "prompt_sets": PromptSet.objects.visible_to(request.user)[:SETS_SHOWN],
        "has_models": LanguageModel.objects.visible_to(request.user).exists(),
        "error": error,
    }
    return render(request, "jobs/playground.html", context, status=status)


def refuse(
    request: Request, chat: Conversation | None, forms: ChatForms, error: FineTuneError | None
) -> HttpResponse:
    """Say why a message was not sent: to a script as JSON, else on the page beside the message."""
    status = status_of(error) if error else 422
    if not request.htmx:
        return show(request, chat, forms, error=error, status=status)
    said = error.as_json() if error else {"message": forms.first_problem, "hint": ""}
    return JsonResponse({"error": said}, status=status)


@require_POST
def conversation_stop(request: Request, pk: int) -> HttpResponse:
    chat = visible_chat(request, pk)
    services.stop_conversation(conversation=chat)
    return HttpResponse(status=204) if request.htmx else redirect(chat)


@require_POST
def conversation_delete(request: Request, pk: int) -> HttpResponse:
    services.delete_conversation(conversation=visible_chat(request, pk))
    return redirect("jobs:playground")


@require_POST
def conversation_branch(request: Request, pk: int, turn: int) -> HttpResponse:
    """Go on from an earlier turn in a new chat."""
    chat = visible_chat(request, pk)
    try:
        return redirect(copies.branch(conversation=chat, turn=turn))
    except FineTuneError as error:
        asked = request.GET.dict()
        forms = ChatForms(None, user=request.user, chat=chat, asked=asked)
        return refuse(request, chat, forms, error)


@require_POST
def preset_save(request: Request) -> HttpResponse:
    """Keep the parameters that the page has now, under a name; `?chat=ID` is gone back to."""
    shown = Conversation.objects.visible_to(request.user)
    chat = shown.filter(pk=typed_number(request.GET.get("chat", "")) or 0).first()
    forms = ChatForms(request.POST, user=request.user, chat=chat, asked={})
    prompt = request.POST.get("system_prompt", "")[:SYSTEM_LIMIT]
    try:
        if not forms.options.is_valid():
            return show(request, chat, forms, status=422)
        preset, is_new = saved.save_preset(
            owner=request.user,
            name=request.POST.get("preset_name", ""),
            system_prompt=prompt,
            options=forms.sampling,
        )
    except FineTuneError as error:
        return show(request, chat, forms, error=error, status=status_of(error))
    messages.success(request, f"The preset {preset} is {'kept' if is_new else 'changed'}.")
    place = chat.get_absolute_url() if chat else reverse("jobs:playground")
    return redirect(f"{place}?preset={preset.pk}")


@require_POST
def preset_delete(request: Request, pk: int) -> HttpResponse:
    preset = get_object_or_404(ChatPreset.objects.visible_to(request.user), pk=pk)
    saved.delete_preset(preset=preset)
    messages.success(request, f"The preset {preset.name} is deleted.")
    return redirect("jobs:playground")


@require_GET
def conversation_file(request: Request, pk: int, suffix: str) -> HttpResponse:
    """A chat as a file: Markdown for people, JSON Lines for training."""
    chat = visible_chat(request, pk)
    if suffix not in CHAT_FILES:
        raise Http404(f"A chat is no {suffix} file.")
    content_type, write = CHAT_FILES[suffix]
    name = f"{slugify(chat.title) or 'chat'}.{suffix}"
    disposition = content_disposition_header(as_attachment=True, filename=name)
    headers = {"Content-Disposition": str(disposition)}
    return HttpResponse(write(chat), content_type=content_type, headers=headers)


@require_GET
def answer(request: Request, pk: UUID) -> HttpResponse:
    """One answer as a part of the page."""
    return render(request, "jobs/_answer.html", {"answer": visible_answer(request, pk)})


@require_POST
def answer_again(request: Request, pk: UUID) -> HttpResponse:
    """Let the same model answer again, with the options that the page has now."""
    old = visible_answer(request, pk)
    chat = old.conversation
    forms = ChatForms(request.POST, user=request.user, chat=chat, asked={})
    if not forms.options.is_valid():
        return refuse(request, chat, forms, None)
    try:
        new = services.regenerate(answer=old, options=forms.sampling)
    except FineTuneError as error:
        return refuse(request, chat, forms, error)
    return render(request, "jobs/_answer.html", {"answer": new}) if request.htmx else redirect(chat)


streams = StreamLimit(20)


async def answer_stream(request: Request, pk: UUID) -> HttpResponseBase:
    """Server-sent events of one answer; a browser that lost the connection names its last event.

    Events fit better than a socket here: the browser reconnects and says where it was by itself,
    a session and `visible_to` guard it like any page, and the API's stream is the same code.
    """
    user = await request.auser()
    shown = await aget_object_or_404(Answer.objects.visible_to(user), pk=pk)
    user_id = user.pk or 0
    if streams.is_reached(user_id):
        return HttpResponse("Too many open streams.", status=429, headers={"Retry-After": "5"})
    last = request.headers.get("Last-Event-ID", "")
    pieces = answer_events(shown, last if ENTRY_ID.fullmatch(last) else "0", user_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(pieces, content_type="text/event-stream", headers=headers)


async def answer_events(shown: Answer, after: str, user_id: int) -> AsyncIterator[str]:
    if shown.status != STREAMING:
        yield event("end", "")
        return
    with streams.counted(user_id):
        async with aclosing(requests.follow(shown.pk, after)) as pieces:
            async for piece in pieces:
                if piece.kind == "quiet":
                    yield ": nothing yet\n\n"
                else:
                    data = "" if piece.kind == "end" else piece.data
                    yield event(piece.kind, data, piece.id)


def event(kind: str, data: str, entry_id: str = "") -> str:
    name = f"id: {entry_id}\n" if entry_id else ""
    return f"{name}event: {kind}\ndata: {json.dumps(data)}\n\n"
