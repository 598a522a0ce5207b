"""Forms of deployments: which model, under which name, within which limits; a new key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.core.validators import RegexValidator

from jobs.models import LanguageModel
from jobs.models.deployment import NAME_PATTERN, NAME_RULE
from jobs.services.deployments.management import DeploymentOptions
from maxft_site.web.schema_forms import form_class

if TYPE_CHECKING:
    ModelField = forms.ModelChoiceField[LanguageModel]
else:
    ModelField = forms.ModelChoiceField
OptionsForm = form_class(DeploymentOptions, prefix="options")


class ModelChoice(ModelField):
    """Models by the names that people say."""

    def label_from_instance(self, obj: LanguageModel) -> str:
        return obj.short_name


class ModelForm(forms.Form):
    """Who answers."""

    model = ModelChoice(LanguageModel.objects.none(), label="Model", empty_label=None)
    latest = forms.BooleanField(
        required=False,
        label="Answer with the latest of its family",
        help_text="Of your runs of the same name, less the number behind it: the newest model that "
        "its verdict does not call worse than its base.",
    )

    def __init__(self, data: Any = None, *, user: User, initial: Mapping[str, Any]) -> None:
        super().__init__(data, initial=dict(initial))
        visible = LanguageModel.objects.visible_to(user).order_by("owner", "-created")
        field = self.fields["model"]
        assert isinstance(field, ModelChoice)
        field.queryset = visible


class NewForm(ModelForm):
    """A new deployment."""

    name = forms.CharField(
        label="Name",
        max_length=63,
        help_text=f"What programs call the model. {NAME_RULE}",
        validators=[RegexValidator(NAME_PATTERN, NAME_RULE)],
        widget=forms.TextInput({"autocapitalize": "off", "spellcheck": "false"}),
    )
    field_order = ["name", "model", "latest"]


class KeyForm(forms.Form):
    """A new key: who has it, and how long."""

    name = forms.CharField(
        max_length=100,
        label="A new key for",
        widget=forms.TextInput({"placeholder": "help centre"}),
    )
    days = forms.TypedChoiceField(
        choices=[(30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked")],
        coerce=int,
        initial=90,
        label="How long",
    )
