"""The REST API of models."""

from django.contrib.auth.models import User

from jobs.models import LanguageModel
from tests.jobs.api.test_runs import Script
from tests.jobs.runs import make_run


def test_models_come_with_their_lineage(alice: User, bob: User) -> None:
    run = make_run(alice, status="succeeded")
    tuned = LanguageModel.objects.create(
        owner=alice, name="first #1", kind="adapter", base=run.base_model, run=run, attempt=1
    )
    script, outsider = Script(alice), Script(bob)

    told = script.get(f"/models/{tuned.pk}").json()
    assert (told["kind"], told["base"], told["run"]) == ("adapter", run.base_model_id, run.pk)
    assert [ancestor["name"] for ancestor in told["lineage"]] == ["starter/chat"]

    page = script.get("/models").json()
    assert [model["name"] for model in page["items"]] == ["first #1", "starter/chat"]
    assert page["total"] == 2

    assert [model["name"] for model in outsider.get("/models").json()["items"]] == ["starter/chat"]
    assert outsider.get(f"/models/{tuned.pk}").json() == outsider.get("/models/999999").json()
