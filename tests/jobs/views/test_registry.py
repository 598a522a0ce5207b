"""Models as a registry: searched, named, given aliases, merged, compared, deleted, taken back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import AdapterMerge, LanguageModel, ModelAlias, Run
from jobs.services.registry.deletion import purge_models
from tests.jobs.api.test_runs import Script
from tests.jobs.pages import PAYLOADS, is_text

MODELS = reverse("jobs:models")


@pytest.fixture(autouse=True)
def queued_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction is never committed."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda enqueue: enqueue())


@pytest.fixture
def second(alice: User, base: LanguageModel, adapter: LanguageModel) -> LanguageModel:
    """Another adapter of the same base."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    from tests.tiny import save_tokenizer

    run = Run.objects.create(owner=alice, name="second", config={}, base_model=base)
    torch.manual_seed(2)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=64, init_lora_weights=False)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base.name), config)
    model.save_pretrained(run.attempt_folder(1).model)
    save_tokenizer(run.attempt_folder(1).model)
    return LanguageModel.objects.create(
        owner=alice, name="second", kind="adapter", base=base, run=run, attempt=1
    )


def describe(client: Client, model: LanguageModel, **what: str) -> None:
    assert client.post(reverse("jobs:model-describe", args=[model.pk]), what).status_code == 302
    model.refresh_from_db()


def test_named_tagged_and_found_again(
    alice_client: Client, adapter: LanguageModel, base: LanguageModel
) -> None:
    describe(alice_client, adapter, name="Support bot", stage="production", tags="Best, de")
    assert (adapter.name, adapter.stage, adapter.tags) == (
        "Support bot", "production", ["best", "de"])  # fmt: skip
    for query in ("query=support", "tag=best", "stage=production", "query=bot+de", "sort=loss"):
        assert adapter.get_absolute_url() in alice_client.get(f"{MODELS}?{query}").text
    for query in ("query=other", "tag=bes", "stage=archived"):
        page = alice_client.get(f"{MODELS}?{query}").text
        assert adapter.get_absolute_url() not in page
        assert "No model fits" in page
    describe(alice_client, adapter, stage="gone")
    assert adapter.stage == "production"
    describe(alice_client, base, tags="mine")
    assert base.tags == []  # everybody's
    for payload in PAYLOADS:
        describe(alice_client, adapter, name=payload, tags=payload.replace('"', ""))
        assert is_text(alice_client.get(MODELS), payload)


def test_an_alias_is_a_name_that_moves(
    alice_client: Client, alice: User, bob: User, adapter: LanguageModel, second: LanguageModel
) -> None:
    visible = LanguageModel.objects.visible_to(alice)
    for model in (adapter, second):
        alice_client.post(reverse("jobs:alias-set", args=[model.pk]), {"alias": "live"})
        assert visible.named("live") == model
    assert LanguageModel.objects.visible_to(bob).named("live") is None
    alice_client.post(reverse("jobs:alias-set", args=[adapter.pk]), {"alias": "second"})
    assert visible.named("second") == second  # a model's own name comes first
    describe(alice_client, adapter, name="live")
    assert adapter.name == "tuned #1"
    alias = ModelAlias.objects.get()
    alice_client.post(reverse("jobs:alias-remove", args=[alias.pk]))
    assert visible.named("live") is None


def test_deleted_taken_back_and_gone(
    alice_client: Client, bob_client: Client, base: LanguageModel, adapter: LanguageModel
) -> None:
    files = Path(adapter.source)
    delete = reverse("jobs:model-delete", args=[adapter.pk])
    assert bob_client.post(delete).status_code == 404
    child = Run.objects.create(owner=adapter.owner, name="on it", config={}, base_model=adapter)
    alice_client.post(delete)
    adapter.refresh_from_db()
    assert adapter.deleted is None  # a run stands on it
    child.delete()
    gone = alice_client.post(delete, follow=True).text
    assert "is deleted. Its files are kept for seven days" in gone
    assert alice_client.get(adapter.get_absolute_url()).status_code == 404
    assert adapter.name in alice_client.get(reverse("jobs:deleted-models")).text
    alice_client.post(reverse("jobs:model-restore", args=[adapter.pk]))
    assert alice_client.get(adapter.get_absolute_url()).status_code == 200
    alice_client.post(delete)
    assert purge_models() == 0
    assert files.exists()
    LanguageModel.objects.filter(pk=adapter.pk).update(deleted=timezone.now() - timedelta(days=8))
    assert purge_models() == 1
    assert not files.exists()
    assert not LanguageModel.objects.filter(pk=adapter.pk).exists()
    alice_client.post(reverse("jobs:model-delete", args=[base.pk]))
    assert LanguageModel.objects.get(pk=base.pk).deleted is None


def merged(script: Script, queue: Any, **what: Any) -> Any:
    made = script.post("/models/merges", what)
    assert made.status_code == 202, made.text
    queue.work()
    return script.get(f"/models/merges/{made.json()['id']}").json()


def logits_of(model: LanguageModel) -> Any:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    assert model.base
    plain = AutoModelForCausalLM.from_pretrained(model.base.name)
    with torch.no_grad():
        return PeftModel.from_pretrained(plain, model.source)(torch.arange(8)[None]).logits


def test_adapters_are_merged_into_a_new_one(
    alice: User, alice_client: Client, adapter: LanguageModel, second: LanguageModel, queue: Any
) -> None:
    """One that counts fully beside one that does not count is that one."""
    import torch

    script = Script(alice)
    parts = [{"model": adapter.pk, "weight": 1.0}, {"model": second.pk, "weight": 0.0}]
    made = merged(script, queue, name="both", method="linear", parts=parts)
    assert made["status"] == "ready", made["error"]
    model = LanguageModel.objects.get(pk=made["model"])
    assert (model.name, model.base, model.kind) == ("both", adapter.base, "adapter")
    assert torch.allclose(logits_of(model), logits_of(adapter), atol=1e-4)
    assert not torch.allclose(logits_of(model), logits_of(second), atol=1e-2)
    page = alice_client.get(model.get_absolute_url()).text
    assert adapter.get_absolute_url() in page
    assert "merged: linear" in page
    ties = merged(script, queue, name="ties", method="ties", density=0.3,
                  parts=[part | {"weight": 0.5} for part in parts])  # fmt: skip
    assert ties["status"] == "ready", ties["error"]
    compared = reverse("jobs:models-compare")
    side = alice_client.get(f"{compared}?model={model.pk}&model={adapter.pk}")
    assert side.status_code == 200
    both_by_runs = alice_client.get(f"{compared}?model={second.pk}&model={adapter.pk}")
    assert both_by_runs["Location"].startswith(reverse("jobs:compare"))
    alice_client.post(reverse("jobs:model-delete", args=[model.pk]))
    alice_client.post(reverse("jobs:model-purge", args=[model.pk]))
    assert not model.own_folder.exists()


def test_what_can_not_be_merged_is_said_at_once(
    alice: User, base: LanguageModel, adapter: LanguageModel, second: LanguageModel
) -> None:
    script = Script(alice)
    good = {"name": "both", "parts": [{"model": adapter.pk}, {"model": second.pk}]}
    for wrong, said in (
        ({"method": "linaer"}, "no such way"),
        ({"parts": good["parts"][:1]}, "different adapters"),
        ({"parts": [{"model": adapter.pk}, {"model": base.pk}]}, "no adapter"),
        ({"method": "ties", "density": 0}, "share of the entries"),
        ({"name": " "}, "needs a name"),
        ({"name": "second"}, "Another model is called"),
    ):
        refused = script.post("/models/merges", good | wrong)
        assert refused.status_code == 422, refused.text
        assert said in refused.text
    assert not AdapterMerge.objects.exists()


def test_by_the_api(alice: User, bob: User, adapter: LanguageModel) -> None:
    script, other = Script(alice), Script(bob)
    path = f"/models/{adapter.pk}"
    call = script.client.generic
    body = '{"stage": "archived", "tags": ["old"]}'
    changed = call("PATCH", f"/api/v1{path}", body, content_type="application/json")
    assert changed.json()["stage"] == "archived"
    alias = call("PUT", "/api/v1/models/aliases/live", f'{{"model": {adapter.pk}}}',
                 content_type="application/json")  # fmt: skip
    assert alias.json() == {"name": "live", "model": adapter.pk}
    assert script.get("/models?tag=old").json()["items"][0]["aliases"] == ["live"]
    assert script.get("/models/aliases").json()[0]["name"] == "live"
    assert other.get("/models/aliases").json() == []
    assert script.get(f"{path}/card").text.startswith("---\n")
    assert script.client.delete(f"/api/v1{path}").status_code == 204
    assert script.get("/models/aliases").json() == []
    assert other.post(f"{path}/restore", {}).status_code == 404
    assert script.post(f"{path}/restore", {}).json()["tags"] == ["old"]
    assert script.client.delete("/api/v1/models/aliases/live").status_code == 204
