"""Columns of the database with a rule of their own: names are one line, nothing hidden in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from maxaillm.dev.finetune.components.names import plain_name

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField


class NameField(TextField):
    """A column of names: control characters are taken out of whatever is written to it.

    The database's own column is a CharField's, so that a migration knows no difference.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001
        name = plain_name(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, name)
        return name

    def get_prep_value(self, value: Any) -> Any:
        return plain_name(super().get_prep_value(value))

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
