"""A field that holds one of several components: which one, its options, or none."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from django.template.loader import render_to_string
from pydantic import BaseModel, Field

from maxft_site.web.schema_forms import ComponentChoice, form_class
from tests.web.test_schema_forms import query


class Small(BaseModel):
    name: Literal["small"] = "small"


class Large(BaseModel):
    """The large one."""

    name: Literal["large"] = "large"
    size: int


class Holder(BaseModel):
    thing: Annotated[Union[Small, Large], Field(discriminator="name")]  # noqa: UP007


def test_a_required_choice_of_components():
    form = form_class(Holder)(query({"thing-name": "large", "thing-size": "3"}))
    assert form.is_valid()
    assert form.value == Holder(thing=Large(size=3))
    choice = form.parts["thing"]
    assert isinstance(choice, ComponentChoice)
    assert [option.value for option in choice.options] == ["small", "large"]
    assert choice.options[1].text == "The large one."


class Perhaps(BaseModel):
    thing: Annotated[Union[Small, Large], Field(discriminator="name")] | None = Field(  # noqa: UP007
        None, title="A thing", json_schema_extra={"advanced": True, "empty": "Nothing"}
    )


class Section(BaseModel):
    inner: Perhaps = Perhaps()


def test_a_choice_may_be_left_empty():
    shown = form_class(Section)()
    (choice,) = shown.choices()
    assert (choice.options[0].value, choice.options[0].label) == ("", "Nothing")
    assert (choice.chosen, choice.label, choice.everything()) == ("", "A thing", [])
    assert not choice.differs
    form = form_class(Section)(query({"inner-thing-name": ""}), initial={"inner": {}})
    assert form.is_valid()
    assert form.value == Section()


def test_a_choice_inside_a_section_keeps_what_was_typed():
    form = form_class(Section)(query({"inner-thing-name": "large", "inner-thing-size": "many"}))
    assert not form.is_valid()
    inner = form.parts["inner"]
    assert inner.advanced_errors
    assert (inner.changed_count, inner.advanced_count) == (1, 1)
    page = render_to_string("components/fieldset.html", {"form": inner})
    assert '<option value="large" selected>' in page
    assert "“many” is no whole number" in page
    sent_again = form_class(Section)(query({"inner-thing-name": "large", "inner-thing-size": "3"}))
    assert sent_again.is_valid()
    assert sent_again.value == Section(inner=Perhaps(thing=Large(size=3)))
    stored = form_class(Section)(initial=sent_again.value.model_dump())
    assert stored.parts["inner"].parts["thing"].chosen == "large"
    assert stored.everything()[0].value() == 3


def test_an_unknown_choice_inside_a_section_is_said():
    form = form_class(Section)(query({"inner-thing-name": "magic"}))
    assert not form.is_valid()
    page = render_to_string("components/fieldset.html", {"form": form.parts["inner"]})
    assert "“magic” is none of the choices: small, large." in page


def test_an_unknown_component_is_said():
    form = form_class(Holder)(query({"thing-name": "magic"}))
    assert not form.is_valid()
    assert form.parts["thing"].errors[0].startswith("“magic” is none of the choices: ")
