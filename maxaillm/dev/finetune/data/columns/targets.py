"""Targets of an example: its class, its classes, the tags of its words, its score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from maxaillm.dev.finetune.data.columns import StoredExample, TargetColumn

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelColumn(TargetColumn):
    """The class of a row."""

    is_one_class: ClassVar[bool] = True

    def labels(self, example: StoredExample) -> list[str]:
        return [example[self.name]]

    def renamed(self, example: StoredExample, change: Callable[[str], str]) -> Any:
        return change(example[self.name])

    def has_label(self, table: pa.RecordBatch, label: str) -> NDArray[np.bool_]:
        return equal(table[self.name], label)


@dataclass(frozen=True)
class LabelsColumn(TargetColumn):
    """The classes of a row: several at once, or none."""

    def labels(self, example: StoredExample) -> list[str]:
        return list(dict.fromkeys(example[self.name]))

    def renamed(self, example: StoredExample, change: Callable[[str], str]) -> Any:
        return list(dict.fromkeys(map(change, example[self.name])))

    def has_label(self, table: pa.RecordBatch, label: str) -> NDArray[np.bool_]:
        import numpy as np
        import pyarrow.compute as pc

        found = np.zeros(len(table), bool)
        hits = equal(table[self.name].flatten(), label)
        found[np.asarray(pc.list_parent_indices(table[self.name]))[hits]] = True
        return found


@dataclass(frozen=True)
class TagsColumn(LabelsColumn):
    """A class for each word."""

    of_words: ClassVar[bool] = True

    def renamed(self, example: StoredExample, change: Callable[[str], str]) -> Any:
        return list(map(change, example[self.name]))


@dataclass(frozen=True)
class FlagColumn(TargetColumn):
    """One of two classes, stored as true or false; `names` says the false one first."""

    is_one_class: ClassVar[bool] = True
    names: tuple[str, str]

    def labels(self, example: StoredExample) -> list[str]:
        return [self.names[example[self.name]]]

    def renamed(self, example: StoredExample, change: Callable[[str], str]) -> Any:
        """Its classes have these names always."""
        return example[self.name]

    def has_label(self, table: pa.RecordBatch, label: str) -> NDArray[np.bool_]:
        import numpy as np

        if label not in self.names:
            return np.zeros(len(table), bool)
        return equal(table[self.name], bool(self.names.index(label)))


@dataclass(frozen=True)
class ScoreColumn(TargetColumn):
    """A number."""

    def labels(self, example: StoredExample) -> list[str]:
        return []

    def words(self, example: StoredExample) -> list[str]:
        return [f"{example[self.name]:,g}"]

    def renamed(self, example: StoredExample, change: Callable[[str], str]) -> Any:
        return example[self.name]

    def has_label(self, table: pa.RecordBatch, label: str) -> NDArray[np.bool_]:
        import numpy as np

        return np.zeros(len(table), bool)


def equal(column: pa.Array, value: Any) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    found: NDArray[np.bool_] = pc.equal(column, value).to_numpy(zero_copy_only=False)
    return found
