"""Chats with models: every write to conversations and answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs.inference_queue import requests
from jobs.inference_queue.requests import BusyError, Outcome, Request
from jobs.models import Answer, Conversation, LanguageModel
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.model.sampling import SamplingOptions

QUESTION_LIMIT = 32_000
SUBMIT_GRACE = timedelta(seconds=30)
"""Between a row and its entry in the queue lie milliseconds; never this much."""
STREAMING = Answer.Status.STREAMING


def start_conversation(
    *, owner: User, models: Sequence[LanguageModel], title: str, system_prompt: str = ""
) -> Conversation:
    """A new chat with one model or two; `title` is usually its first question."""
    left, right = left_and_right(models)
    return Conversation.objects.create(
        owner=owner, title=shorten(title), left=left, right=right, system_prompt=system_prompt
    )


def open_chat(
    *,
    owner: User,
    models: Sequence[LanguageModel],
    system_prompt: str,
    question: str,
    options: SamplingOptions,
) -> Conversation:
    """Start a chat with its first question; where that can't be asked there is no chat."""
    conversation = start_conversation(
        owner=owner, models=models, title=question, system_prompt=system_prompt
    )
    try:
        ask(conversation=conversation, question=question, options=options)
    except FineTuneError:
        conversation.delete()
        raise
    return conversation


def shorten(text: str, length: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def left_and_right(models: Sequence[LanguageModel]) -> tuple[LanguageModel, LanguageModel | None]:
    match list(dict.fromkeys(models)):
        case [left]:
            return left, None
        case [left, right]:
            return left, right
    raise FineTuneError("A chat has one model or two.", "Choose a model.")


def choose(
    *, conversation: Conversation, models: Sequence[LanguageModel], system_prompt: str
) -> None:
    """Set who answers next, left column first, and under which system prompt."""
    conversation.left, conversation.right = left_and_right(models)
    conversation.system_prompt = system_prompt
    conversation.save(update_fields=["left", "right", "system_prompt", "updated"])


def ask(*, conversation: Conversation, question: str, options: SamplingOptions) -> list[Answer]:
    """Put a question to each chosen model. Raises BusyError while another is being answered."""
    if not question.strip():
        raise FineTuneError("The message is empty.", "Write a message, then send it.")
    if len(question) > QUESTION_LIMIT:
        raise FineTuneError(
            f"The message has {len(question):,} characters, more than {QUESTION_LIMIT:,}.",
            "Shorten it, or split it into several.",
        )
    models = models_of(conversation)
    if conversation.answers.filter(status=STREAMING).exists():
        raise BusyError(
            "The last question of this chat is still being answered.", "Wait, or stop it."
        )
    with transaction.atomic():
        last = conversation.answers.order_by("-turn").first()
        answers = [
            Answer.objects.create(
                conversation=conversation,
                turn=last.turn + 1 if last else 0,
                column=column,
                question=question,
                model=model,
                options=options.model_dump(mode="json"),
            )
            for column, model in enumerate(models)
        ]
        conversation.save(update_fields=["updated"])
    queue(answers)
    return answers


def models_of(conversation: Conversation) -> list[LanguageModel]:
    """The models that answer next. Raises FineTuneError where one is gone."""
    models = [model for model in (conversation.left, conversation.right) if model]
    visible = LanguageModel.objects.visible_to(conversation.owner).in_bulk(m.pk for m in models)
    for model in models:
        if model.pk not in visible:
            raise FineTuneError(f"{model} was deleted.", "Choose another model.")
    return models


def queue(answers: Sequence[Answer]) -> None:
    """Hand new answers to the inference worker; where that fails they never were."""
    asked = [
        Request(
            id=answer.pk,
            model=answer.model_id,
            messages=history_of(answer),
            options=SamplingOptions.model_validate(answer.options),
        )
        for answer in answers
    ]
    try:
        requests.submit(asked, user_id=answers[0].conversation.owner_id)
    except FineTuneError:
        Answer.objects.filter(pk__in=[answer.pk for answer in answers]).delete()
        raise


def history_of(answer: Answer) -> list[Message]:
    """The chat up to and with the question of `answer`, as its column heard it."""
    messages = []
    if answer.conversation.system_prompt.strip():
        messages.append(Message(role="system", content=answer.conversation.system_prompt))
    earlier = answer.conversation.answers.filter(turn__lt=answer.turn)
    heard: dict[int, Answer] = {}
    for said in earlier:
        if said.text and (said.turn not in heard or said.column == answer.column):
            heard[said.turn] = said
    for said in heard.values():
        messages.append(Message(role="user", content=said.question))
        messages.append(Message(role="assistant", content=said.text))
    return [*messages, Message(role="user", content=answer.question)]


def regenerate(*, answer: Answer, options: SamplingOptions) -> Answer:
    """Answer the same question again, in the same place."""
    visible = LanguageModel.objects.visible_to(answer.conversation.owner)
    if not visible.filter(pk=answer.model_id).exists():
        raise FineTuneError(f"{answer.model} was deleted.", "Choose another model and ask again.")
    if answer.status == STREAMING:
        raise FineTuneError("This answer is still being written.", "Stop it first.")
    again = Answer(
        conversation=answer.conversation,
        turn=answer.turn,
        column=answer.column,
        question=answer.question,
        model=answer.model,
        options=options.model_dump(mode="json"),
    )
    with transaction.atomic():
        Answer.objects.filter(pk=answer.pk).delete()
        again.save(force_insert=True)
    try:
        queue([again])
    except FineTuneError:
        answer.save(force_insert=True)
        raise
    return again


def edit_and_resend(
    *, conversation: Conversation, turn: int, question: str, options: SamplingOptions
) -> list[Answer]:
    """Ask another question in place of an earlier one; what came after it goes."""
    later = list(conversation.answers.filter(turn__gte=turn))
    if any(answer.status == STREAMING for answer in later):
        raise FineTuneError("An answer is still being written.", "Stop it first.")
    Answer.objects.filter(pk__in=[answer.pk for answer in later]).delete()
    try:
        return ask(conversation=conversation, question=question, options=options)
    except FineTuneError:
        Answer.objects.bulk_create(later)
        raise


def stop_conversation(*, conversation: Conversation) -> None:
    """Stop every answer of a chat that is being made or waits."""
    for answer in conversation.answers.filter(status=STREAMING):
        stop_answer(answer=answer)


def stop_answer(*, answer: Answer) -> None:
    """Ask for the end of an answer; what is written so far stays."""
    if answer.status != STREAMING:
        return
    if requests.cancel(answer.pk):
        finish_answer(answer_id=answer.pk, outcome=requests.WITHDRAWN)
    elif requests.is_lost(answer.pk):
        finish_answer(answer_id=answer.pk, outcome=lost_outcome())
        requests.forget(answer.pk)


def delete_conversation(*, conversation: Conversation) -> None:
    """Delete a chat with its answers; running ones are stopped first."""
    for answer in conversation.answers.filter(status=STREAMING):
        requests.cancel(answer.pk)
    conversation.delete()


def finish_answer(*, answer_id: UUID, outcome: Outcome) -> bool:
    """Store how an answer ended, once. False where it had ended before or is none of ours."""
    unfinished = Answer.objects.filter(pk=answer_id, status=STREAMING)
    if not unfinished.exists():  # most are no chat's: they don't wait to write
        return False
    changed = unfinished.update(
        # PostgreSQL's text can't hold NUL
        text=outcome.text.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        status=outcome.status,
        usage=outcome.usage.model_dump(mode="json"),
        judgement=outcome.judgement,
        error=outcome.error,
    )
    return bool(changed)


def fail_lost_answers() -> int:
    """End answers that are neither waiting nor being made: Redis or a worker lost them."""
    old = Answer.objects.filter(status=STREAMING, created__lt=timezone.now() - SUBMIT_GRACE)
    pks = list(old.values_list("pk", flat=True))
    lost = set(pks) - requests.known(pks) if pks else set()
    return sum(finish_answer(answer_id=pk, outcome=lost_outcome()) for pk in lost)


def lost_outcome(text: str = "") -> Outcome:
    error = FineTuneError(
        "The answer was lost when a process of the site ended.", "Let the model answer again."
    )
    return Outcome.failed(error, text)
