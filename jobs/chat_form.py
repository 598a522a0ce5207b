"""The playground's form: who answers, under which system prompt, what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth.models import User

from jobs.models import ChatPreset, Conversation, LanguageModel
from jobs.services.playground import QUESTION_LIMIT
from maxaillm.dev.finetune.errors import ModelError
from maxaillm.dev.finetune.model_files.folder import find_folder
from maxaillm.model.sampling import SamplingOptions
from maxft_site.web.formatting import typed_number
from maxft_site.web.schema_forms import form_class

SYSTEM_LIMIT = 8000
OptionsForm = form_class(SamplingOptions, prefix="options")


class ChatForm(forms.Form):
    """A message with what surrounds it."""

    model = forms.ChoiceField(label="Left model")
    beside = forms.ChoiceField(label="Right model", required=False)
    system_prompt = forms.CharField(
        label="System prompt",
        required=False,
        max_length=SYSTEM_LIMIT,
        help_text="What the model is told before the chat. Both models get it.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    question = forms.CharField(
        label="Message", max_length=QUESTION_LIMIT, strip=False, widget=forms.Textarea
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        visible = LanguageModel.objects.visible_to(user).select_related("base", "run")
        cards = {model: model.card for model in visible.order_by("-created")}
        self.visible = {str(m.pk): m for m, card in cards.items() if card or is_awaited(m)}
        self.judging = [m.pk for m, card in cards.items() if card and not card.writes]
        self.offer("model", [])
        self.offer("beside", [("", "No second model")])

    def offer(self, name: str, first: list[Any]) -> None:
        """Tuned models come first: they are what one is here for."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        groups: dict[str, list[Any]] = {"Tuned": [], "Base": []}
        for pk, model in self.visible.items():
            groups["Base" if model.kind == "base" else "Tuned"].append((pk, model.short_name))
        field.choices = [*first, *((title, found) for title, found in groups.items() if found)]

    @property
    def only_judges(self) -> bool:
        """Whether no model is chosen that writes: what shapes a text is of no use then."""
        return all(model.pk in self.judging for model in self.shown if model)

    @property
    def models(self) -> list[LanguageModel]:
        chosen = (self.cleaned_data["model"], self.cleaned_data["beside"])
        return [self.visible[pk] for pk in chosen if pk]

    @property
    def shown(self) -> list[LanguageModel | None]:
        """Left and right model as the page shows them now."""
        newest = sorted(self.visible.values(), key=lambda model: model.kind == "base")
        left = self.visible.get(str(self["model"].value())) or next(iter(newest), None)
        return [left, self.visible.get(str(self["beside"].value()))]


class ChatForms:
    """The page's two forms, filled from what was sent, the chat, or the address."""

    def __init__(
        self, data: Any, *, user: User, chat: Conversation | None, asked: Mapping[str, str]
    ) -> None:
        preset = preset_of(user, asked)
        start = start_of(chat, user, asked)
        last = chat.answers.order_by("turn").last() if chat else None
        kept = last.options if last and "defaults" not in asked else None
        if preset is not None:
            start["system_prompt"], kept = preset.system_prompt, preset.options
        self.preset = preset
        self.chat = ChatForm(data, user=user, initial=start)
        self.options = OptionsForm(data, initial=kept)

    def are_valid(self) -> bool:
        return all([self.chat.is_valid(), self.options.is_valid()])

    @property
    def sampling(self) -> SamplingOptions:
        assert isinstance(self.options.value, SamplingOptions)
        return self.options.value

    @property
    def first_problem(self) -> str:
        """What is wrong, in one sentence for a script."""
        for form in (self.chat, self.options):
            for name, errors in (form.errors or {}).items():
                return f"{form[name].label}: {errors[0]}" if name in form.fields else str(errors[0])
        return ""


def preset_of(user: User, asked: Mapping[str, str]) -> ChatPreset | None:
    """The parameters that `?preset=ID` asks for."""
    wished = typed_number(asked.get("preset", ""))
    return ChatPreset.objects.visible_to(user).filter(pk=wished).first() if wished else None


def is_awaited(model: LanguageModel) -> bool:
    """Whether it is a name on the Hub; a folder without a card is gone, or answers nothing."""
    try:
        return find_folder(model.source) is None
    except ModelError:
        return False


def comparable_base(model: LanguageModel) -> int | None:
    """The base that a tuned model is compared with: one for another task has no answer to it."""
    base, card = model.base, model.card
    if base is None or (base.card is None and not is_awaited(base)):
        return None
    serves = not card or not base.card or card.opens_as == base.card.opens_as
    return base.pk if serves else None


def start_of(chat: Conversation | None, user: User, asked: Mapping[str, str]) -> dict[str, Any]:
    """The chat as it is; a new one with `?model=ID&beside=ID`, or `beside=base`."""
    if chat is not None:
        return {"model": chat.left_id, "beside": chat.right_id, "system_prompt": chat.system_prompt}
    visible = LanguageModel.objects.visible_to(user)
    wished = typed_number(asked.get("model", ""))
    model = visible.filter(pk=wished).first() if wished is not None else None
    beside = asked.get("beside", "")
    if beside == "base":
        return {"model": model and model.pk, "beside": model and comparable_base(model)}
    return {"model": model and model.pk, "beside": typed_number(beside)}
