"""What stands at the addresses of the site in the matrix of who may do what."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib.auth.models import User
from django.core import signing

from datasets_app.models import Upload
from jobs.models import (
    AdapterMerge,
    Answer,
    ChatPreset,
    Conversation,
    Deployment,
    DeploymentKey,
    Evaluation,
    Export,
    LanguageModel,
    ModelAlias,
    NotificationChannel,
    PromptSet,
    RunDraft,
)
from jobs.notify.email import SALT
from maxft_site.web.models import ApiToken
from tests.jobs.runs import make_run


class Thing(NamedTuple):
    """What stands in place of a parameter."""

    value: object
    is_shared: bool = False
    """Whether every member sees it."""
    is_supervised: bool = False
    """Whether the superuser reaches it."""


def things_of(alice: User) -> dict[str, Thing]:
    """Alice's own, by the address's part before the parameter and the parameter's name."""
    run = make_run(alice, status="succeeded")
    assert run.dataset
    base = LanguageModel.objects.create(owner=alice, name="mine", kind="base")
    chat = Conversation.objects.create(owner=alice, title="?", left=base)
    answer = Answer.objects.create(
        conversation=chat, turn=0, question="?", model=base, status="done", text="!"
    )
    upload = Upload.objects.create(owner=alice, file_name="a.csv", size_bytes=5)
    ApiToken.issue(alice, "x")
    export = Export.objects.create(owner=alice, model=base, format="merged", status="ready")
    measured = Evaluation.objects.create(owner=alice, dataset=run.dataset)
    merge = AdapterMerge.objects.create(owner=alice, name="both", method="linear", parts=[])
    alias = ModelAlias.objects.create(owner=alice, name="live", model=base)
    channel = NotificationChannel.objects.create(owner=alice, target="https://example.com/hook")
    person = User.objects.create_user("cy")
    deployment = Deployment.objects.create(owner=alice, name="deployed", model=base)
    key = DeploymentKey.objects.create(deployment=deployment, name="x", digest="x")
    preset = ChatPreset.objects.create(owner=alice, name="calm")
    prompts = PromptSet.objects.create(owner=alice, name="asked", prompts=["?"])
    dataset, the_run = Thing(run.dataset.dataset_id), Thing(run.pk, is_supervised=True)
    word = Thing("x", is_shared=True, is_supervised=True)
    draft = RunDraft.objects.create(owner=alice, name="half", fields="")
    return {
        "/datasets/pk": dataset,
        "/datasets/uploads/pk": Thing(upload.pk),
        "/api/v1/datasets/dataset_id": dataset,
        "/api/v1/datasets/uploads/upload_id": Thing(upload.pk),
        "/runs/pk": the_run,
        "/runs/drafts/pk": Thing(draft.pk),
        "/api/v1/runs/run_id": the_run,
        "/models/pk": Thing(base.pk),
        "/api/v1/models/model_id": Thing(base.pk),
        "/v1/models/name": Thing("mine"),
        "/playground/pk": Thing(chat.pk),
        "/playground/answers/pk": Thing(answer.pk),
        "/playground/branch/turn": word._replace(value=0),
        "/playground/chat.suffix": word._replace(value="md"),
        "/playground/presets/pk": Thing(preset.pk),
        "/prompt-sets/pk": Thing(prompts.pk),
        "/settings/keys/pk": Thing(alice.api_tokens.get().pk),
        "/settings/notifications/pk": Thing(channel.pk),
        "/settings/notifications/new/kind": word._replace(value="webhook"),
        "/settings/notifications/confirm/token": Thing(signing.dumps(channel.pk, salt=SALT)),
        "/deployments/pk": Thing(deployment.pk),
        "/deployments/verb": word._replace(value="stop"),
        "/deployments/keys/key": Thing(key.pk),
        "/api/v1/deployments/deployment_id": Thing(deployment.pk),
        "/api/v1/deployments/keys/key_id": Thing(key.pk),
        "/api/v1/exports/export_id": Thing(export.pk),
        "/api/v1/models/exports/export_id": Thing(export.pk),
        "/api/v1/evaluations/evaluation_id": Thing(measured.pk),
        "/exports/pk": Thing(export.pk),
        "/models/exports/new/name": word._replace(value="merged"),
        "/models/merges/pk": Thing(merge.pk),
        "/api/v1/models/merges/merge_id": Thing(merge.pk),
        "/models/aliases/pk": Thing(alias.pk),
        "/api/v1/models/aliases/name": Thing("live"),
        "/settings/people/pk": Thing(person.pk, is_supervised=True),
        "/invitation/uidb64": word,
        "/invitation/token": word,
        "/datasets/change/name": word._replace(value="trim"),
        "/api/v1/datasets/rows/row": word._replace(value=1),
        "/runs/checkpoints/step": word._replace(value=1),
        "/runs/parts/part": word._replace(value="status"),
        "/runs/charts/name": word._replace(value="loss"),
        "/runs/compare/charts/name": word._replace(value="loss"),
        "/runs/new/options/place": word._replace(value="training-loss"),
    }
