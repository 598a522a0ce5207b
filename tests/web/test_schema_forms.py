"""Forms made from schemas: what the browser shows and sends, and where mistakes land."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from maxaillm.dev.finetune.config import RunConfig
from maxaillm.dev.finetune.data.fixes import fixes
from maxaillm.dev.finetune.errors import Problem
from maxaillm.dev.finetune.losses import losses
from maxaillm.dev.finetune.methods import methods
from maxft_site.web.schema_forms import SchemaForm, form_class, schemas_in
from maxft_site.web.schema_forms.fields import ChoiceField, FlagField
from maxft_site.web.schema_forms.info import accepts_none, bare_type, bounds_of, is_hidden

SECTIONS = ["model", "data", "training", "evaluation"]
COMPONENTS = [*methods.values(), *losses.values()]


def section(name: str) -> type[BaseModel]:
    return schemas_in(RunConfig.model_fields[name])[0]


def sent(fields: Any) -> dict[str, Any]:
    """What a browser sends for the fields as they are shown."""
    found: dict[str, Any] = {}
    for field in fields:
        value = field.value()
        if isinstance(field.field, FlagField):
            found |= {field.html_name: "on"} if value else {}
        elif isinstance(value, list):
            found[field.html_name] = value
        elif isinstance(value, dict):
            found[field.html_name] = field.field.prepare_value(value).replace("\n", "\r\n")
        else:
            found[field.html_name] = "" if value is None else str(value).replace("\n", "\r\n")
    return found


def query(data: dict[str, Any]) -> QueryDict:
    made = QueryDict(mutable=True)
    for name, value in data.items():
        made.setlist(name, value if isinstance(value, list) else [value])
    return made


def line() -> st.SearchStrategy[str]:
    """A line that a user could type: no break, no blank at its ends."""
    letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])
    return st.text(letters, min_size=1, max_size=40).map(str.strip).filter(bool)


def texts(annotation: Any) -> st.SearchStrategy[str]:
    """Lines, or what matches the pattern of a type such as Annotated[str, Field(pattern=...)]."""
    rules = [rule for extra in getattr(annotation, "__metadata__", ()) for rule in extra.metadata]
    patterns = [rule.pattern for rule in rules if getattr(rule, "pattern", None)]
    return st.from_regex(patterns[0], fullmatch=True) if patterns else line()


def values_of(info: FieldInfo) -> st.SearchStrategy[Any]:
    kind, bounds = bare_type(info.annotation), bounds_of(info)
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if get_origin(kind) is list:
        item = bare_type(get_args(kind)[0])
        items = texts(get_args(kind)[0]) if item is str else st.sampled_from(get_args(item))
        made = st.lists(items, min_size=1, max_size=5, unique=True)
    elif get_origin(kind) is dict:
        made = st.dictionaries(line(), st.floats(0.01, 100), min_size=1, max_size=3)
    elif get_origin(kind) is Literal:
        made = st.sampled_from(get_args(kind))
    elif kind is float:
        made = st.floats(
            low, high, exclude_min="gt" in bounds, exclude_max="lt" in bounds, allow_nan=False
        )
    else:
        made = {int: st.integers(low, high), bool: st.booleans(), str: line()}[kind]
    return made | st.none() if accepts_none(info.annotation) else made


@st.composite
def instances(draw: st.DrawFn, schema: type[BaseModel]) -> BaseModel:
    fields = schema.model_fields.items()
    shown = {n: info for n, info in fields if not is_hidden(info) and not schemas_in(info)}
    values = {
        name: draw(values_of(info))
        for name, info in shown.items()
        if info.is_required() or draw(st.booleans())
    }
    try:
        return schema.model_validate(values)
    except ValidationError:  # of two fields that don't go together
        return draw(st.nothing())


@pytest.mark.parametrize(
    "schema", [*map(section, SECTIONS), *COMPONENTS], ids=lambda cls: cls.__name__
)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_is_shown_comes_back_the_same(schema, data):
    instance = data.draw(instances(schema))
    shown = form_class(schema)(prefix="part", initial=instance.model_dump())
    form = form_class(schema)(query(sent(shown.everything())), prefix="part")
    assert form.is_valid(), form.errors
    assert form.value == instance


def whole(**changes: Any) -> SchemaForm:
    data = sent(form_class(RunConfig)().everything()) | {"model-name": "starter/chat"}
    return form_class(RunConfig)(query(data | changes))


def test_the_whole_configuration_in_one_form():
    form = whole(**{"tuning-name": "lora", "tuning-r": "16", "name": "x"})
    assert form.is_valid(), form.errors
    assert form.value == RunConfig.parse(
        {"name": "x", "model": {"name": "starter/chat"}, "tuning": {"name": "lora", "r": 16}}
    )


def test_only_what_was_sent_counts():
    form = form_class(RunConfig)(query({"model-name": "m"}))
    assert form.is_valid()
    assert form.value == RunConfig.parse({"model": {"name": "m"}})


def test_every_mistake_lands_at_its_field_and_quotes_what_was_typed():
    form = whole(
        **{
            "data-max_length": "768 tok",
            "training-learning_rate": "7",
            "training-per_device_train_batch_size": "",
            "tuning-r": "0",
            "model-name": "",
        }
    )
    assert not form.is_valid()
    errors = {field.html_name: field.errors[0] for field in form.everything() if field.errors}
    assert errors == {
        "data-max_length": "“768 tok” is no whole number. Type 16 to 131,072.",
        "training-learning_rate": "“7” is out of range. Type above 0, at most 1.",
        "training-per_device_train_batch_size": "Type 1 to 4,096.",
        "tuning-r": "“0” is out of range. Type 1 to 1,024.",
        "model-name": "Type a text.",
    }


def test_a_mistake_between_fields_lands_at_their_section():
    form = whole(**{"training-max_steps": "10", "training-warmup_steps": "10"})
    assert not form.is_valid()
    assert form.parts["training"].non_field_errors() == [
        "The warm-up must be shorter than the run."
    ]


def test_a_line_that_is_too_long_is_named():
    form = whole(**{"evaluation-sample_prompts": "short\r\n" + "x" * 5000})
    assert not form.is_valid()
    (error,) = form.parts["evaluation"].errors["sample_prompts"]
    assert error.startswith("Line 2, “xxx")


def test_null_characters_are_refused():
    assert not whole(**{"model-name": "a\x00b"}).is_valid()


def test_problems_found_later_keep_their_own_words():
    form = whole()
    assert form.is_valid()
    form.add_problems([Problem("data.dataset", "Dataset 12 is still being checked.", 12, "")])
    assert form.parts["data"].errors["dataset"] == ["Dataset 12 is still being checked."]
    assert not form.is_valid()


def test_hidden_options_can_not_be_set():
    form = whole(**{"data-train_file": "/etc/passwd", "provider": "other"})
    assert form.is_valid()
    assert form.value.data.train_file is None


def test_advanced_options_are_counted_where_they_differ():
    assert form_class(RunConfig)().parts["training"].changed_count == 0
    changed = whole(**{"training-seed": "7", "training-weight_decay": "1e-2"})
    assert changed.parts["training"].changed_count == 1


def test_the_page_shows_help_limits_and_error_wired_to_the_field():
    form = whole(**{"data-max_length": "1"})
    assert not form.is_valid()
    page = render_to_string("components/fieldset.html", {"form": form.parts["data"]})
    assert 'min="16" max="131072"' in page
    assert 'aria-invalid="true"' in page
    assert 'aria-describedby="id_data-max_length_helptext id_data-max_length_error"' in page
    assert 'id="id_data-max_length_error"' in page
    assert "tokens" in page


class Small(BaseModel):
    name: Literal["small"] = "small"
    flags: list[Literal["a", "b"]] = Field(["a"], json_schema_extra={"labels": {"b": "The B"}})
    words: list[str] | None = None
    ready: bool = True
    kind: Literal["x", "y"] | None = None


class Weighted(BaseModel):
    weights: dict[str, Annotated[float, Field(gt=0)]] | None = None


def test_pairs_are_typed_one_a_line():
    form = form_class(Weighted)(query({"weights": " spam: 2.5\r\n\r\nre: ham : 1"}))
    assert form.is_valid(), form.errors
    assert form.value == Weighted(weights={"spam": 2.5, "re: ham": 1})
    assert form_class(Weighted)(query({"weights": " "})).is_valid()


def test_a_pair_that_is_wrong_is_named():
    form = form_class(Weighted)(query({"weights": "spam\r\nv1.0: 0\r\nham: 1"}))
    assert not form.is_valid()
    first, second = form.errors["weights"]
    assert first.startswith("“spam: ”: Input should be a valid number")
    assert second == "“v1.0: 0”: Input should be greater than 0."


def test_boxes_that_are_not_ticked():
    form = form_class(Small, prefix="s")(query({"s-words": "", "s-kind": ""}))
    assert form.is_valid()
    assert form.value == Small(flags=[], words=None, ready=False, kind=None)


def test_boxes_have_the_labels_that_are_given():
    assert form_class(Small)().fields["flags"].widget.choices == [("a", "A"), ("b", "The B")]


def test_a_type_that_no_form_can_show_is_refused_at_once():
    class Odd(BaseModel):
        table: dict[int, str]

    with pytest.raises(TypeError, match="table"):
        form_class(Odd)


@pytest.mark.parametrize("name", fixes)
def test_what_can_be_chosen_for_a_fix_is_said_in_words(name: str) -> None:
    for field in form_class(fixes[name])().everything():
        if isinstance(field.field, ChoiceField):
            words = [word for _, word in field.field.widget.choices]
            assert all(word[:1].isupper() for word in words), words
