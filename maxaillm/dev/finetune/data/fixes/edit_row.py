"""Edit one row."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, ValidationError, field_validator

from maxaillm.dev.finetune.data.fixes import Fix, StoredExample, fixes
from maxaillm.dev.finetune.data.store.batch import stored
from maxaillm.dev.finetune.data.store.changes import problem_of_stored
from maxaillm.dev.finetune.errors import DataError

HINT = "Write the row with the fields that the others of the dataset have."


@fixes.register
class EditRow(Fix):
    """Puts another example in the place of one row."""

    label: ClassVar[str] = "Edit a row"
    summary: ClassVar[str] = "Writes one row anew."

    name: Literal["edit_row"] = "edit_row"
    number: int = Field(ge=1, title="Row", description="The number of the row.")
    example: str = Field(
        max_length=10_000_000,
        title="What the row is to be",
        description="A JSON object. Without a split the row stays in the one it is in.",
        json_schema_extra={"multiline": True},
    )
    _example: StoredExample = PrivateAttr(default_factory=dict)

    @field_validator("example", mode="before")
    @classmethod
    def is_object(cls, value: Any) -> Any:
        """An object may be given as such, or written as JSON."""
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
        try:
            parsed = json.loads(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"This is no JSON: {error}.") from error
        if not isinstance(parsed, dict):
            raise ValueError("This is JSON, but no object: write {…}.")
        return value

    def begin(self, flagged: Collection[int] = ()) -> None:
        """Raises DataError where the new row is none that the dataset can hold."""
        try:
            example = stored(self.kind.model_validate(json.loads(self.example)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise DataError(f"Row {self.number}, {where}: {first['msg']}.", HINT) from error
        problem = problem_of_stored(self.kind, example)
        if problem is not None:
            message = f"Row {self.number}: {problem.message}"
            raise DataError(message, problem.fix, code=problem.code)
        self._example = example

    def apply(self, number: int, example: StoredExample) -> StoredExample | None:
        if number != self.number:
            return example
        part = {"split": example["split"]} if "split" in example else {}
        edited = part | self._example
        return example if edited == example else edited
