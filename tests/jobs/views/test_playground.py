"""The playground: chats, who may see them, streams to browsers, hostile output."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.urls import reverse

from jobs.inference_queue import fair_queue, requests
from jobs.models import Answer, Conversation, LanguageModel
from jobs.services import playground
from maxaillm.dev.finetune.errors import FineTuneError
from maxaillm.model.sampling import SamplingOptions
from tests.jobs.answers import answer_all

pytestmark = pytest.mark.django_db
GREEDY = SamplingOptions(temperature=0, max_new_tokens=8)
PAGE = reverse("jobs:playground")
FETCHED = {"HX-Request": "true"}


def form(*models, question="What is red?", **options):
    chosen = dict(zip(("model", "beside"), [model.pk for model in models], strict=False))
    typed = {"temperature": 0, "top_p": 0.9, "max_new_tokens": 8} | options
    return chosen | {"question": question} | {f"options-{n}": v for n, v in typed.items()}


@pytest.fixture
def tuned(alice, base):
    return LanguageModel.objects.create(name="tuned", kind="full", owner=alice, base=base)


@pytest.fixture
def chat(alice, base, worker):
    made = playground.start_conversation(owner=alice, models=[base], title="Red")
    playground.ask(conversation=made, question="What is red?", options=GREEDY)
    answer_all(worker)
    return made


def events_of(user, answer, after=""):
    """What a browser gets from the stream, to its end."""

    async def read():
        client = AsyncClient()
        await client.aforce_login(user)
        headers = {"Last-Event-ID": after} if after else {}
        address = reverse("jobs:answer-stream", args=[answer.pk])
        response = await client.get(address, headers=headers)
        if not response.streaming:
            return response, []
        text = b"".join([part async for part in response]).decode()
        blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
        return response, [dict(line.split(": ", 1) for line in b.split("\n")) for b in blocks]

    return async_to_sync(read)()


def test_a_talk_from_the_first_message_to_the_answer(alice_client, base, worker):
    response = alice_client.post(PAGE, form(base))
    chat = Conversation.objects.get()
    assert response.url == chat.get_absolute_url()
    assert "data-stream" in alice_client.get(response.url).content.decode()

    answer_all(worker)
    answer = chat.answers.get()
    page = alice_client.get(response.url).content.decode()
    assert "data-stream" not in page
    assert f"{answer.usage['completion_tokens']} tokens" in page
    assert answer.options["temperature"] == 0


def test_two_models_answer_side_by_side(alice_client, base, worker, tmp_path):
    import shutil

    folder = tmp_path / "other"
    shutil.copytree(base.name, folder)
    other = LanguageModel.objects.create(name=str(folder), kind="base")
    alice_client.post(PAGE, form(base, other, temperature=1.5, seed=3))
    answer_all(worker)
    answer_all(worker)
    left, right = Answer.objects.order_by("column")
    assert (left.model, right.model) == (base, other)
    assert left.text == right.text, "the same weights, the same seed"
    assert {left.status, right.status} == {"done"}


def test_model_and_its_base_are_chosen_by_one_click(alice_client, tuned, base):
    page = alice_client.get(PAGE, {"model": tuned.pk, "beside": "base"})
    chosen = [model.pk for model in page.context["forms"].chat.shown]
    assert chosen == [tuned.pk, base.pk]


def test_models_whose_folders_are_gone_do_not_take_the_page_along(alice, alice_client, base):
    names = {"owner": alice, "base": base}
    LanguageModel.objects.create(name="/gone/base", kind="base", owner=alice)
    LanguageModel.objects.create(name="/gone/too", kind="adapter", **names)
    assert alice_client.get(PAGE).status_code == 200


def test_each_column_remembers_its_own_answers(alice, base, tuned):
    chat = playground.start_conversation(owner=alice, models=[base, tuned], title="x")
    chat.system_prompt = "Be brief."
    for column, (model, text) in enumerate([(base, "left"), (tuned, "right")]):
        Answer.objects.create(
            conversation=chat, turn=0, column=column, question="q", model=model, text=text
        )
    asked = [
        Answer(conversation=chat, turn=1, column=column, question="r", model=base)
        for column in (0, 1)
    ]
    heard = [[m.content for m in playground.history_of(answer)] for answer in asked]
    assert heard == [["Be brief.", "q", "left", "r"], ["Be brief.", "q", "right", "r"]]


def test_a_script_gets_the_turn_alone(alice_client, chat, base):
    response = alice_client.post(chat.get_absolute_url(), form(base), headers=FETCHED)
    content = response.content.decode()
    assert content.count('class="turn') == 1
    assert "<html" not in content


def test_refusals_carry_a_sentence(alice_client, chat, base):
    address = chat.get_absolute_url()
    alice_client.post(address, form(base))
    busy = alice_client.post(address, form(base), headers=FETCHED)
    assert busy.status_code == 429
    assert "still being answered" in busy.json()["error"]["message"]

    hot = alice_client.post(address, form(base, temperature=99), headers=FETCHED)
    assert hot.status_code == 422
    assert hot.json()["error"]["message"].startswith("Temperature")

    page = alice_client.post(address, form(base, question="Again?"))
    assert page.status_code == 429
    assert "still being answered" in page.content.decode()
    assert "Again?" in page.content.decode()


@pytest.mark.parametrize(
    "option",
    [
        {"max_new_tokens": 10**9},
        {"temperature": "nan"},
        {"temperature": -1},
        {"top_p": 0},
        {"top_k": 10**9},
        {"seed": 2**40},
        {"stop": "a\nb\nc\nd\ne"},
    ],
    ids=str,
)
def test_options_have_limits(alice_client, chat, base, option):
    response = alice_client.post(chat.get_absolute_url(), form(base, **option))
    assert response.status_code == 422
    assert chat.answers.count() == 1


def test_stop_words_end_the_answer(alice_client, base, worker):
    drawn = {"temperature": 1.5, "top_p": 1, "max_new_tokens": 30, "seed": 5}
    alice_client.post(PAGE, form(base, **drawn))
    answer_all(worker)
    whole = Answer.objects.get().text
    word = whole.split()[1]
    alice_client.post(PAGE, form(base, **drawn, stop=word))
    answer_all(worker)
    assert Answer.objects.latest("created").text == whole[: whole.index(word)]


def test_answer_again_takes_the_same_place(alice_client, chat, base, worker):
    old = chat.answers.get()
    again = reverse("jobs:answer-again", args=[old.pk])
    response = alice_client.post(again, form(base, max_new_tokens=3), headers=FETCHED)
    assert "data-stream" in response.content.decode()
    answer_all(worker)
    new = chat.answers.get()
    assert new.pk != old.pk
    assert (new.turn, new.usage["completion_tokens"]) == (0, 3)


def test_an_edited_question_replaces_what_came_after(alice_client, chat, base, worker):
    playground.ask(conversation=chat, question="And blue?", options=GREEDY)
    answer_all(worker)
    address = f"{chat.get_absolute_url()}?edit=0"
    assert "What is red?" in alice_client.get(address).content.decode()
    alice_client.post(address, form(base, question="What is green?"))
    assert [answer.question for answer in chat.answers.all()] == ["What is green?"]


def test_a_refused_edit_loses_nothing(alice, chat):
    with pytest.raises(FineTuneError, match="empty"):
        playground.edit_and_resend(conversation=chat, turn=0, question=" ", options=GREEDY)
    assert chat.answers.get().question == "What is red?"


def test_stop_without_a_worker_ends_the_answer(alice_client, alice, chat, base, worker):
    [answer] = playground.ask(conversation=chat, question="And?", options=GREEDY)
    fair_queue.take(worker.client, requests.running_key("gone"), 1)
    worker.client.delete(requests.WORKERS)
    alice_client.post(reverse("jobs:conversation-stop", args=[chat.pk]))
    answer.refresh_from_db()
    assert answer.status == "failed"
    playground.ask(conversation=chat, question="Once more?", options=GREEDY)


def test_deleting_takes_answers_along(alice_client, chat):
    alice_client.post(reverse("jobs:conversation-delete", args=[chat.pk]))
    assert not Conversation.objects.exists()
    assert not Answer.objects.exists()


def test_a_deleted_model_is_said(alice_client, alice, base, tuned, redis_server):
    from django.utils import timezone

    chat = playground.start_conversation(owner=alice, models=[tuned], title="x")
    LanguageModel.objects.filter(pk=tuned.pk).update(deleted=timezone.now())
    with pytest.raises(FineTuneError, match="deleted"):
        playground.ask(conversation=chat, question="Hi", options=GREEDY)
    assert alice_client.get(chat.get_absolute_url()).status_code == 200


def test_the_stream_goes_on_behind_the_last_event(alice, chat, worker):
    [answer] = playground.ask(conversation=chat, question="And?", options=GREEDY)
    key = requests.pieces_key(answer.pk)
    for number, text in enumerate(["Ré", "d 🌹", "\n\nevent: end"], start=1):
        worker.client.xadd(key, {"text": text}, id=f"{number}-0")
    requests.publish_end(worker.client, answer.pk, requests.WITHDRAWN)

    response, events = events_of(alice, answer)
    assert response["Content-Type"] == "text/event-stream"
    said = [json.loads(event["data"]) for event in events if event["event"] == "text"]
    assert said == ["Ré", "d 🌹", "\n\nevent: end"]
    assert events[-1]["event"] == "end"
    assert events_of(alice, answer, after="2-0")[1] == events[2:]
    assert events_of(alice, answer, after="x' OR 1")[1] == events


def test_the_stream_of_an_ended_answer_ends_at_once(alice, chat):
    assert [event["event"] for event in events_of(alice, chat.answers.get())[1]] == ["end"]


def test_a_lost_answer_is_told(alice, chat, redis_server, monkeypatch):
    monkeypatch.setattr(requests, "SILENT_SECONDS", 0)
    [answer] = playground.ask(conversation=chat, question="And?", options=GREEDY)
    redis_server.flush()
    assert events_of(alice, answer)[1][-1]["event"] == "lost"


def test_streams_are_limited(alice, chat, monkeypatch):
    monkeypatch.setattr("jobs.views.playground.streams.most", 0)
    assert events_of(alice, chat.answers.get())[0].status_code == 429


def test_outsiders_find_nothing(bob, bob_client, chat, tuned, base):
    answer = chat.answers.get()
    pages = [
        ("get", "jobs:conversation", chat.pk),
        ("post", "jobs:conversation", chat.pk),
        ("post", "jobs:conversation-stop", chat.pk),
        ("post", "jobs:conversation-delete", chat.pk),
        ("get", "jobs:answer", answer.pk),
        ("post", "jobs:answer-again", answer.pk),
    ]
    for verb, name, pk in pages:
        response = getattr(bob_client, verb)(reverse(name, args=[pk]), form(base))
        assert response.status_code == 404, name
    assert events_of(bob, answer)[0].status_code == 404
    assert bob_client.post(PAGE, form(tuned)).status_code == 422
    assert tuned.name not in bob_client.get(PAGE, {"model": tuned.pk}).content.decode()
    assert not Conversation.objects.filter(owner=bob).exists()


def test_the_signed_out_are_sent_to_sign_in(client, chat):
    for address in (PAGE, chat.get_absolute_url()):
        assert client.get(address).status_code == 302


def test_looking_changes_nothing(alice_client, chat):
    before = list(Answer.objects.values()), list(Conversation.objects.values())
    for name, pk in (("jobs:answer-again", chat.answers.get().pk), ("jobs:conversation", chat.pk)):
        alice_client.get(reverse(name, args=[pk]))
    assert before == (list(Answer.objects.values()), list(Conversation.objects.values()))
