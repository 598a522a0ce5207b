"""Choice of a component in a form: one of several, or none, with the options of the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django.forms.boundfield import BoundField
from django.utils.text import capfirst
from pydantic.fields import FieldInfo

from maxaillm.dev.finetune.components.registry import first_line
from maxaillm.dev.finetune.errors import Problem
from maxft_site.web.schema_forms.fields import differs, quoted
from maxft_site.web.schema_forms.info import accepts_none, extra_of, schemas_in

if TYPE_CHECKING:
    from maxft_site.web.schema_forms import SchemaForm

Data = Mapping[str, Any]
Unused = Callable[[FieldInfo], bool]
"""Whether an option has no use for what the form is about."""


class Option(NamedTuple):
    """A component on offer, as `components/choice.html` shows it."""

    value: str
    label: str
    text: str
    fact: str = ""
    disabled: bool = False


class ComponentChoice:
    """A part that is one of several components, or none: which one, and the chosen one's form."""

    advanced = False

    def __init__(
        self,
        name: str,
        info: FieldInfo,
        form_class: Callable[..., type[SchemaForm]],
        *,
        data: Data | None,
        prefix: str,
        initial: Data,
    ) -> None:
        classes = schemas_in(info)
        self.classes = {str(cls.model_fields["name"].default): cls for cls in classes}
        self.label = info.title or capfirst(name.replace("_", " "))
        self.help = info.description or ""
        self.optional = accepts_none(info.annotation)
        self.empty = str(extra_of(info).get("empty", "None"))
        self.prefix, self.input_name = prefix, f"{prefix}-name"
        self.shown_name = f"{prefix}-shown"
        """The input that tells whose options the page shows: another may be chosen by now."""
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        self.default = str(default.name) if default is not None else self.first
        sent = (data or {}).get(self.input_name)
        named = sent or (sent if self.optional else None)
        self.chosen = str(initial.get("name") or self.default) if named is None else str(named)
        self.errors: list[str] = []
        self.form: SchemaForm | None = None
        if self.chosen:
            cls = self.classes.get(self.chosen) or classes[0]
            values = initial if initial.get("name") == self.chosen else {}
            shown = (data or {}).get(self.shown_name, self.chosen)
            own = data if shown == self.chosen else None  # those of another one were sent
            self.form = form_class(cls)(own, prefix=prefix, initial=values, is_part=True)

    def narrow(self, names: Collection[str], *, even_if_set: bool) -> list[str]:
        """Offer only these components. Another that is chosen is named, and stays unless
        `even_if_set`."""
        is_odd = bool(self.chosen) and self.chosen in self.classes and self.chosen not in names
        odd = [str(getattr(self.classes[self.chosen], "label", self.chosen))] if is_odd else []
        if is_odd and even_if_set:
            self.chosen, self.form = "", None
        kept = {*names, self.chosen}
        self.classes = {name: cls for name, cls in self.classes.items() if name in kept}
        return odd

    def leave_out(self, unused: Unused, *, even_if_set: bool) -> list[str]:
        return self.form.leave_out(unused, even_if_set=even_if_set) if self.form else []

    @property
    def first(self) -> str:
        return "" if self.optional else next(iter(self.classes))

    @property
    def options(self) -> list[Option]:
        none = [Option("", self.empty, "")] if self.optional else []
        return none + [
            Option(name, str(getattr(cls, "label", name)), first_line(cls))
            for name, cls in self.classes.items()
        ]

    @property
    def text(self) -> str:
        """What the chosen component is."""
        return first_line(self.classes[self.chosen]) if self.chosen in self.classes else ""

    @property
    def differs(self) -> bool:
        """Whether another component than the default is chosen, or an option of it changed."""
        return self.chosen != self.default or any(map(differs, self.everything()))

    def is_valid(self) -> bool:
        return not self.errors and (self.form is None or self.form.is_valid())

    def typed(self) -> dict[str, Any] | None:
        return {"name": self.chosen, **self.form.typed()} if self.form else None

    def place(self, path: list[str], problem: Problem, *, quote: bool) -> None:
        if path == ["name"] and quote:
            known = ", ".join(self.classes)
            self.errors.append(f"{quoted(self.chosen)} is none of the choices: {known}.")
        elif path == ["name"]:
            self.errors.append(problem.message)
        elif self.form:
            self.form.place(path, problem, quote=quote)
        else:
            self.errors.append(problem.message)

    def everything(self) -> list[BoundField]:
        return self.form.everything() if self.form else []

    def choices(self) -> list[ComponentChoice]:
        return [self, *(self.form.choices() if self.form else [])]
