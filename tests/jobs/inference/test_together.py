"""Many answers at once by one worker: what each may ask for, and what it can't do to the others."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import peft
import pytest
import torch

from jobs.inference_queue import requests
from jobs.inference_queue.requests import Outcome, Request
from jobs.models import LanguageModel, Run
from maxaillm.dev.finetune.data.rows.messages import Message
from maxaillm.model.logprobs import TokenLogprob
from maxaillm.model.sampling import SamplingOptions
from tests.families import FAMILIES
from tests.jobs.answers import answer_all
from tests.jobs.inference.test_worker import GREEDY, pieces_of

pytestmark = pytest.mark.django_db


def asked(model, user_id=1, **fields):
    given = {"options": GREEDY} | fields
    if not fields.keys() & {"prompt", "texts", "messages"}:
        given["messages"] = [Message(role="user", content="What is red?")]
    request = Request(id=uuid4(), model=model.pk, **given)
    requests.submit([request], user_id=user_id, source="api")
    return request


def outcome_of(request):
    return Outcome.model_validate_json(pieces_of(request.id)[-1].data)


def test_base_and_adapters_are_answered_in_one_batch(base, adapter, worker):
    alone = []
    for model in (base, adapter):
        request = asked(model)
        answer_all(worker)
        alone.append(outcome_of(request).text)
    many = [asked(model) for _ in range(4) for model in (base, adapter)]
    worker.step()
    together = 0
    while worker.running:
        worker.step()
        loaded = worker.models.bases[base.name]
        assert loaded.batched is not None
        together = max(together, loaded.batched.engine.live)
        assert not loaded.serial.answers
    assert together == len(many)
    assert [outcome_of(request).text for request in many] == alone * 4
    assert alone[0] != alone[1]


def test_who_leaves_is_heard_while_others_go_on(base, worker, monkeypatch):
    monkeypatch.setattr("jobs.inference.feed.FLUSH_SECONDS", 0)
    long = GREEDY.model_copy(update={"max_new_tokens": 120, "temperature": 1.5, "seed": 4})
    stays, leaves = asked(base, options=long), asked(base, options=long)
    while worker.client.xlen(requests.pieces_key(leaves.id)) < 2:
        worker.step()
    requests.cancel(leaves.id)
    worker.step()
    worker.step()
    assert [running.id for running in worker.running] == [stays.id]
    answer_all(worker)
    assert outcome_of(leaves).status == "stopped"
    assert outcome_of(stays).text.startswith(outcome_of(leaves).text)
    assert outcome_of(stays).usage.completion_tokens > outcome_of(leaves).usage.completion_tokens


def test_a_bare_prompt_is_gone_on_with_and_scored(base, worker):
    options = GREEDY.model_copy(update={"max_new_tokens": 1, "logprobs": 1})
    as_text = asked(base, prompt="red blue", options=options, echo=True)
    ids = list(range(40, 48))
    as_ids = asked(base, prompt=ids, options=options, echo=True)
    unknown = asked(base, prompt=[10**6], options=options)
    answer_all(worker)
    said = outcome_of(as_text)
    assert said.usage.prompt_tokens == len("red blue") == len(said.prompt_logprobs)
    assert "".join(token.token for token in said.prompt_logprobs) == "red blue"
    assert said.prompt_logprobs[0].logprob is None
    assert said.logprobs[0].logprob == said.logprobs[0].top[0].logprob
    assert [token.id for token in outcome_of(as_ids).prompt_logprobs] == ids
    assert "tokens beyond" in outcome_of(unknown).error["message"]


def test_log_probabilities_come_with_the_stream(base, worker, monkeypatch):
    monkeypatch.setattr("jobs.inference.feed.FLUSH_SECONDS", 0)
    request = asked(base, options=GREEDY.model_copy(update={"logprobs": 2}))
    answer_all(worker)
    pieces = pieces_of(request.id)
    streamed = [item for p in pieces if p.kind == "logprobs" for item in json.loads(p.data)]
    outcome = outcome_of(request)
    assert [TokenLogprob.model_validate(item) for item in streamed] == outcome.logprobs
    assert len(outcome.logprobs) == outcome.usage.completion_tokens
    assert sum(piece.kind == "logprobs" for piece in pieces) > 2


def test_structure_is_kept_beside_free_answers(base, worker):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    schema["additionalProperties"] = False
    structured = SamplingOptions(temperature=0, max_new_tokens=60, json_schema=schema)
    wild = structured.model_copy(update={"json_schema": {"type": "colour"}})
    kept, free, refused = asked(base, options=structured), asked(base), asked(base, options=wild)
    answer_all(worker)
    assert isinstance(json.loads(outcome_of(kept).text)["ok"], bool)
    assert outcome_of(free).status == "done"
    assert outcome_of(refused).error["code"] == "schema_refused"


def test_a_slow_template_holds_up_nobody(base, worker, tmp_path, monkeypatch):
    """Whoever renders meanwhile, tokens come."""
    from maxaillm.model.llm import MaxHuggingFaceLLM

    encode = MaxHuggingFaceLLM.encode

    def slowly(self, prompt, tools=None):
        if "slow" in prompt[0]["content"]:
            time.sleep(0.5)
        return encode(self, prompt, tools)

    asked(base)
    answer_all(worker)
    monkeypatch.setattr(MaxHuggingFaceLLM, "encode", slowly)
    quick = asked(base, options=GREEDY.model_copy(update={"max_new_tokens": 60}))
    worker.step()
    slow = asked(base, messages=[Message(role="user", content="slow")])
    ended = []
    while worker.running or not ended:
        before = {running.id for running in worker.running}
        worker.step()
        ended += before - {running.id for running in worker.running}
    answer_all(worker)
    assert ended[0] == quick.id
    assert outcome_of(slow).status == "done"


def test_an_adapter_of_another_kind_answers_alone(alice, base, worker):
    from transformers import AutoModelForCausalLM

    from tests.tiny import save_tokenizer

    run = Run.objects.create(owner=alice, name="dora", config={}, base_model=base)
    torch.manual_seed(1)
    config = peft.LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=64, use_dora=True, init_lora_weights=False
    )
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base.name), config)
    folder = run.attempt_folder(1).model
    model.save_pretrained(folder)
    save_tokenizer(folder)
    dora = LanguageModel.objects.create(
        owner=alice, name="dora", kind="adapter", base=base, run=run, attempt=1
    )
    alone = asked(base)
    answer_all(worker)
    both = [asked(dora), asked(base), asked(dora)]
    biased = asked(dora, options=GREEDY.model_copy(update={"logprobs": 1}))
    answer_all(worker)
    texts = [outcome_of(request).text for request in both]
    assert texts[1] == outcome_of(alone).text != texts[0] == texts[2]
    assert "log probabilities" in outcome_of(biased).error["message"]


def test_an_encoder_embeds_many_texts_at_once(worker, tmp_path, base):
    folder = FAMILIES["bert"](tmp_path / "bert")
    encoder = LanguageModel.objects.create(name=str(folder), kind="base", size_bytes=10**6)
    texts = ["red", "a much longer text of many words", "red", [70, 71, 72]]
    many = asked(encoder, want="embedding", texts=texts)
    one = asked(encoder, want="embedding", texts=["red"])
    writes = asked(base, want="embedding", texts=["red"])
    answer_all(worker)
    vectors = torch.tensor(outcome_of(many).embedding)
    assert vectors.shape == (4, 32)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(4), atol=1e-5)
    assert torch.allclose(vectors[0], torch.tensor(outcome_of(one).embedding[0]), atol=1e-5)
    assert not torch.allclose(vectors[0], vectors[1], atol=1e-2)
    assert outcome_of(many).usage.prompt_tokens > 40
    assert "encoder" in outcome_of(writes).error["hint"]
    worker.models.bases.pop(str(folder))


def test_whoever_asks_little_need_not_wait_for_whoever_asks_much(base, worker, monkeypatch):
    monkeypatch.setattr("jobs.inference.worker.MOST_ANSWERS", 2)
    heavy = [asked(base) for _ in range(6)]
    light = asked(base, user_id=2)
    order, ends = [], time.monotonic() + 60
    while len(order) < len(heavy) + 1:
        assert time.monotonic() < ends
        before = [running.id for running in worker.running]
        worker.step()
        order += [id for id in before if id not in {running.id for running in worker.running}]
    assert order.index(light.id) < 4
