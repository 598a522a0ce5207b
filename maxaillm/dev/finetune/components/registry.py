"""Registry of components known by name. To add one, drop a module in the registry's package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from maxaillm.dev.finetune.errors import UnknownComponentError


class Component(BaseModel):
    """Something a user picks by name: its fields are its options, its methods its work."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    label: ClassVar[str]
    tasks: ClassVar[frozenset[str]] = frozenset()
    """The tasks that it serves; none: tasks don't matter to it."""
    name: str

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Its options, and which tasks it serves."""
        made = handler(schema)
        if cls.tasks:
            handler.resolve_ref_schema(made)["applies_to"] = {"tasks": sorted(cls.tasks)}
        return made


def first_line(cls: type[BaseModel]) -> str:
    """What a component is, in a sentence."""
    return (cls.__doc__ or "").strip().partition("\n")[0]


C = TypeVar("C", bound=BaseModel)


class Registry(Mapping[str, type[C]]):
    """The component classes of one package and of the entry points `maxaillm.<folder>`."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package
        self._classes: dict[str, type[C]] = {}
        self._loaded = False

    def name_of(self, cls: type[C]) -> str:
        """The default of its field `name`."""
        return str(cls.model_fields["name"].default)

    def register(self, cls: type[C]) -> type[C]:
        """Class decorator: make `cls` known by its name."""
        name = self.name_of(cls)
        if name in self._classes:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._classes[name] = cls
        return cls

    def load(self) -> Self:
        if not self._loaded:
            self._loaded = True
            for module in iter_modules(import_module(self.package).__path__):
                if not module.ispkg:  # `shared/` holds what several components need
                    import_module(f"{self.package}.{module.name}")
            for entry in entry_points(group=f"maxaillm.{self.package.rpartition('.')[2]}"):
                entry.load()
        return self

    def __getitem__(self, name: str) -> type[C]:
        try:
            return self.load()._classes[name]
        except KeyError:
            raise UnknownComponentError(self.kind, name, known=list(self)) from None

    def __contains__(self, name: object) -> bool:
        return name in self.load()._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self.load()._classes)

    def __len__(self) -> int:
        return len(self.load()._classes)
