"""Who speaks when in the conversations of a batch, as columns of one length."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maxaillm.dev.finetune.data.store.batch import Batch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class TurnOrder(NamedTuple):
    """An entry a turn, conversation after conversation."""

    roles: npt.NDArray[np.object_]
    rows: npt.NDArray[np.int64]
    """The place of its row within the batch."""
    places: npt.NDArray[np.int64]
    """Its place in the conversation, from 0."""

    @classmethod
    def of(cls, batch: Batch, column: str) -> TurnOrder:
        import numpy as np

        turns = batch.table[column].combine_chunks()
        lengths = turns.value_lengths().to_numpy(zero_copy_only=False)
        starts = np.cumsum(lengths) - lengths
        roles = turns.flatten().field("role").to_numpy(zero_copy_only=False)
        places = np.arange(len(roles)) - np.repeat(starts, lengths)
        return cls(roles, np.repeat(np.arange(len(turns)), lengths), places)

    @property
    def before(self) -> npt.NDArray[np.object_]:
        """The role of the turn before each; "" at the beginning of a conversation."""
        import numpy as np

        shifted = np.roll(self.roles, 1)
        return np.where(self.places == 0, "", shifted)

    def first_of_rows(self, found: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Of each row with a turn that was found, its place and the number of the first one."""
        import numpy as np

        at = np.flatnonzero(found)
        rows, firsts = np.unique(self.rows[at], return_index=True)
        return list(zip(rows.tolist(), (self.places[at[firsts]] + 1).tolist(), strict=True))
