"""The list of models: searched, narrowed, sorted."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import OrderBy

from jobs import selectors
from jobs.models import LanguageModel

ORDERS = {
    "made": "pk",
    "name": "name",
    "size": "size_bytes",
    "stage": "stage",
    "loss": "metrics__eval_loss",
}
"""How the list can be sorted; a minus turns it around."""
DEFAULT = "-made"
HEADS = (("name", "Model"), ("loss", "Validation loss"), ("size", "Size"), ("made", "Made"))


class ModelFilter(NamedTuple):
    """What a list of models is narrowed to, and its order."""

    query: str = ""
    stage: str = ""
    tag: str = ""
    sort: str = DEFAULT

    def models(self, user: User | AnonymousUser) -> QuerySet[LanguageModel]:
        found = selectors.models_of(user)
        for word in self.query[:200].replace("\0", "").split():
            named = Q(name__icontains=word) | Q(aliases__name__icontains=word)
            found = found.filter(named | Q(tags__icontains=word) | Q(base__name__icontains=word))
        if self.stage:
            found = found.filter(stage=self.stage)
        if self.tag:
            found = found.filter(pk__in=[m.pk for m in found if self.tag in m.tags])
        return found.order_by(self.order, "-pk").distinct()

    @property
    def order(self) -> OrderBy:
        name, is_descending = self.sort.removeprefix("-"), self.sort.startswith("-")
        field = F(ORDERS.get(name, "pk"))
        if name not in ORDERS or is_descending:
            return field.desc(nulls_last=True)
        return field.asc(nulls_last=True)


def tags_of(user: User | AnonymousUser) -> list[str]:
    """All tags that models of `user` have."""
    lists = LanguageModel.objects.visible_to(user).exclude(tags=[]).values_list("tags", flat=True)
    return sorted({tag for tags in lists for tag in tags})
