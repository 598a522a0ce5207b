"""The inference worker: what it answers, streams, stores, and how it bears failures."""

from __future__ import annotations

import asyncio
import shutil
from uuid import uuid4

import pytest

from jobs.inference_queue import fair_queue, requests
from jobs.inference_queue.requests import Outcome, Request
from jobs.models import Answer, LanguageModel
from jobs.services import playground
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.model.sampling import SamplingOptions
from tests.jobs.answers import answer_all

pytestmark = pytest.mark.django_db
GREEDY = SamplingOptions(temperature=0, max_new_tokens=12)


def pieces_of(request_id, after="0"):
    async def collect():
        return [piece async for piece in requests.follow(request_id, after)]

    return asyncio.run(collect())


def ask(alice, *models, question="What is red?", options=GREEDY):
    chat = playground.start_conversation(owner=alice, models=models, title=question)
    return playground.ask(conversation=chat, question=question, options=options)


def request_for(model, text="Hello", options=GREEDY):
    messages = [Message(role="user", content=text)]
    return Request(id=uuid4(), model=model.pk, messages=messages, options=options)


def test_the_streamed_text_is_the_stored_one(alice, base, worker, monkeypatch):
    monkeypatch.setattr("jobs.inference.feed.FLUSH_SECONDS", 0)
    options = SamplingOptions(temperature=2, top_p=1, max_new_tokens=60, seed=1)
    [answer] = ask(alice, base, options=options)
    answer_all(worker)

    pieces = pieces_of(answer.pk)
    answer.refresh_from_db()
    streamed = "".join(piece.data for piece in pieces if piece.kind == "text")
    outcome = Outcome.model_validate_json(pieces[-1].data)
    assert (answer.status, answer.text) == ("done", streamed)
    assert outcome.text == streamed
    assert len(streamed.encode()) > len(streamed) > 20, "characters of several bytes"
    assert answer.usage["completion_tokens"] == 60
    assert answer.usage["finish_reason"] == "length"
    assert answer.usage["prompt_tokens"] > 10
    assert answer.usage["first_token_seconds"] >= 0


def test_a_reader_goes_on_where_it_stopped(alice, base, worker, monkeypatch):
    monkeypatch.setattr("jobs.inference.feed.FLUSH_SECONDS", 0)
    [answer] = ask(alice, base)
    answer_all(worker)

    whole = pieces_of(answer.pk)
    assert len(whole) > 4
    assert pieces_of(answer.pk, after=whole[2].id) == whole[3:]


def test_seed_and_temperature_decide(alice, base, worker):
    drawn = SamplingOptions(temperature=1.5, top_p=1, max_new_tokens=20, seed=7)
    texts = []
    for options in (drawn, drawn, drawn.model_copy(update={"seed": 8})):
        [answer] = ask(alice, base, options=options)
        answer_all(worker)
        answer.refresh_from_db()
        texts.append(answer.text)
    assert texts[0] == texts[1] != texts[2]


def test_a_waiting_answer_can_be_taken_back(alice, base, worker):
    [answer] = ask(alice, base)
    playground.stop_answer(answer=answer)

    answer.refresh_from_db()
    assert (answer.status, answer.text) == ("stopped", "")
    assert pieces_of(answer.pk)[-1].kind == "end"
    assert fair_queue.waiting(worker.client) == []
    ask(alice, base)


def test_an_answer_in_the_making_can_be_stopped(alice, base, worker, monkeypatch):
    monkeypatch.setattr("jobs.inference.feed.FLUSH_SECONDS", 0)
    [answer] = ask(alice, base, options=SamplingOptions(max_new_tokens=400, seed=1))
    while worker.client.xlen(requests.pieces_key(answer.pk)) < 3:
        worker.step()
    playground.stop_answer(answer=answer)
    answer_all(worker)
    answer.refresh_from_db()
    assert answer.status == "stopped"
    assert answer.text
    assert answer.usage["finish_reason"] == "cancelled"
    assert answer.usage["completion_tokens"] < 20


def test_time_is_limited(alice, base, worker, monkeypatch):
    monkeypatch.setattr("jobs.inference.running.ANSWER_SECONDS", 0)
    [answer] = ask(alice, base, options=SamplingOptions(max_new_tokens=400))
    answer_all(worker)
    answer.refresh_from_db()
    assert (answer.status, answer.usage["finish_reason"]) == ("done", "time")


def test_adapters_are_laid_on_the_warm_base(alice, base, adapter, worker):
    texts = []
    for model in (base, adapter, base, adapter):
        [answer] = ask(alice, model)
        answer_all(worker)
        answer.refresh_from_db()
        assert answer.status == "done", answer.error
        texts.append(answer.text)
    assert texts[0] == texts[2] != texts[1] == texts[3]
    assert base.name in worker.models.bases
    assert adapter.source not in worker.models.bases


def test_one_question_of_a_chat_at_a_time(alice, bob, base, worker):
    [answer] = ask(alice, base)
    with pytest.raises(requests.BusyError):
        playground.ask(conversation=answer.conversation, question="And?", options=GREEDY)
    assert Answer.objects.count() == 1
    answer_all(worker)
    playground.ask(conversation=answer.conversation, question="And?", options=GREEDY)


def test_users_are_answered_in_turn(base, worker):
    """Who asks much waits for who asks little, not the other way round."""
    asked = {}
    for user, count in ((1, 5), (2, 2), (3, 1)):
        for _ in range(count):
            request = request_for(base)
            asked[str(request.id)] = user
            requests.submit([request], user_id=user, source="api")
    taken = [fair_queue.take(worker.client, "running", 0.1) for _ in range(2)]
    taken.append(fair_queue.take(worker.client, "running", 0, 2))
    late = request_for(base)
    asked[str(late.id)] = 4
    requests.submit([late], user_id=4)
    taken += [fair_queue.take(worker.client, "running", 0.1) for _ in range(6)]
    order = [asked[found] for ids in taken for found in ids]
    turns = [sorted(order[start:end]) for start, end in ((0, 3), (3, 5), (5, 7), (7, 9))]
    assert turns == [[1, 2, 3], [1, 2], [1, 4], [1, 1]]


def test_the_queue_is_bounded(alice, base, worker, monkeypatch):
    monkeypatch.setattr(requests, "WAITING_LIMIT", 2)
    for user in (101, 102):
        requests.submit([request_for(base)], user_id=user)
    with pytest.raises(requests.BusyError, match="2 questions"):
        ask(alice, base)


def test_one_user_cannot_fill_the_queue(alice, bob, base, worker, monkeypatch):
    monkeypatch.setattr(requests, "USER_LIMIT", 2)
    ask(alice, base)
    ask(alice, base)
    with pytest.raises(requests.BusyError, match="2 of your questions"):
        ask(alice, base)
    ask(bob, base)


def test_a_missing_folder_is_said(alice, base, worker, tmp_path):
    gone = tmp_path / "gone"
    shutil.copytree(base.name, gone)
    model = LanguageModel.objects.create(name=str(gone), kind="base")
    shutil.rmtree(gone)
    [answer] = ask(alice, model)
    answer_all(worker)

    answer.refresh_from_db()
    assert answer.status == "failed"
    assert "gone" in answer.error["message"]
    assert answer.error["hint"]
    assert Outcome.model_validate_json(pieces_of(answer.pk)[-1].data).error == answer.error


def test_exhausted_memory_is_said(alice, base, worker, monkeypatch):
    def too_much(*_arguments, **_options):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("maxaillm.model.batching.engine.BatchEngine.forward", too_much)
    [answer] = ask(alice, base)
    answer_all(worker)
    answer.refresh_from_db()
    assert answer.error["code"] == "out_of_memory"


def test_an_unknown_failure_is_recorded_and_ends_the_process(alice, base, worker, monkeypatch):
    monkeypatch.setattr("maxaillm.model.batching.engine.BatchEngine.forward", lambda *_: 1 / 0)
    [answer] = ask(alice, base)
    with pytest.raises(ZeroDivisionError):
        answer_all(worker)
    answer.refresh_from_db()
    assert "ZeroDivisionError" in answer.error["message"]
    ask(alice, base)


def test_what_a_dead_worker_left_is_ended(alice, base, worker):
    [answer] = ask(alice, base)
    assert fair_queue.take(worker.client, requests.running_key("here"), 1)
    worker.client.xadd(requests.pieces_key(answer.pk), {"text": "It was"}, id="1-0")
    answer_all(worker)

    answer.refresh_from_db()
    assert (answer.status, answer.text) == ("failed", "It was")
    assert "lost" in answer.error["message"]
    assert pieces_of(answer.pk)[-1].kind == "end"
    ask(alice, base)


def test_what_a_lost_redis_forgot_is_ended(alice, base, worker, redis_server, monkeypatch):
    from datetime import timedelta

    monkeypatch.setattr(playground, "SUBMIT_GRACE", timedelta(0))
    [answer] = ask(alice, base)
    redis_server.flush()
    answer_all(worker)
    answer.refresh_from_db()
    assert answer.status == "failed"


def test_a_restarted_redis_loses_nothing(alice, base, worker, redis_server):
    [answer] = ask(alice, base)
    redis_server.kill()
    redis_server.start()
    answer_all(worker)
    answer.refresh_from_db()
    assert answer.status == "done"


def test_bases_leave_for_others_as_memory_needs(alice, base, worker, tmp_path, monkeypatch):
    other_folder = tmp_path / "other"
    shutil.copytree(base.name, other_folder)
    other = LanguageModel.objects.create(name=str(other_folder), kind="base", size_bytes=10**6)
    monkeypatch.setattr(worker.models, "budget_bytes", 1)
    for model in (base, other):
        ask(alice, model)
        answer_all(worker)
        assert worker.models.has(model)
    assert not worker.models.has(base)
    monkeypatch.setattr("jobs.inference.model_cache.IDLE_SECONDS", -1)
    worker.models.unload_idle()
    assert not worker.models.has(other)


def test_long_talks_lose_their_beginning(alice, base, worker):
    chat = playground.start_conversation(owner=alice, models=[base], title="long")
    for _ in range(6):
        playground.ask(conversation=chat, question="very " * 20, options=GREEDY)
        answer_all(worker)
    last = chat.answers.order_by("turn").last()
    assert last.status == "done"
    assert last.usage["dropped_messages"] in {4, 6, 8}
    assert last.usage["prompt_tokens"] <= 512


def test_a_message_too_long_for_the_model_is_said(alice, base, worker):
    [answer] = ask(alice, base, question="word " * 200)
    answer_all(worker)
    answer.refresh_from_db()
    assert answer.error["code"] == "prompt_too_long"
