"""The REST API of datasets that come from the Hub."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Field, Router, Schema, Status

from datasets_app.api.datasets import DatasetOut
from datasets_app.models import Dataset, DatasetVersion
from datasets_app.services import choose_of_hub, import_from_hub
from maxft_site.web.idempotency import idempotent

router = Router(tags=["datasets"])


class ChoiceIn(Schema):
    """Which part of a repository, and what its splits become."""

    subset: str = Field("", max_length=200, description="One of the subsets on offer.")
    splits: dict[str, str] = Field(
        default_factory=dict,
        max_length=1000,
        description="train, validation, test or, to leave it out, nothing, for each of its splits.",
    )


class HubIn(ChoiceIn):
    hub: str = Field(max_length=500, description="owner/name, or the link to the dataset's page.")
    revision: str = Field("", max_length=200, description="A branch, tag or commit; else main.")
    name: str = Field("", max_length=120, description="What it is called here.")


@router.post(
    "/hub", response={201: DatasetOut}, summary="Take a dataset of the Hub; fetched in the queue"
)
@idempotent
def create_from_hub(request: HttpRequest, source: Body[HubIn]) -> Status[DatasetVersion]:
    """What `subset` and `splits` leave open is asked for: the status is `needs_mapping` then, and
    `offer` says what there is.
    """
    owner = cast(User, request.user)
    return Status(201, import_from_hub(owner=owner, **source.dict()))


@router.post(
    "/{int:dataset_id}/hub",
    response={202: DatasetOut},
    summary="Choose of what a repository of the Hub offers; it is fetched in the queue",
)
def choose(request: HttpRequest, dataset_id: int, choice: Body[ChoiceIn]) -> Status[DatasetVersion]:
    own = get_object_or_404(Dataset.objects.owned_by(request.user), pk=dataset_id)
    version = own.newest
    choose_of_hub(version=version, subset=choice.subset, splits=choice.splits)
    return Status(202, version)
