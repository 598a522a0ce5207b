"""All findings of a check as a Parquet file: the database keeps only so many to leaf through."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from maxaillm.dev.finetune.data.analysis.findings import Finding

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 10_000


def schema() -> pa.Schema:
    import pyarrow as pa

    numbers = [(name, pa.int64()) for name in ("row", "line", "other")]
    texts = [(name, pa.string()) for name in ("level", "code", "message", "snippet", "fix")]
    return pa.schema([*numbers, *texts])


class FindingsWriter:
    """Writes findings in the order in which they come; the file is whole once it is left."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.schema = schema()
        self.file = pq.ParquetWriter(path, self.schema, compression="zstd")
        self.waiting: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.write()
        self.file.close()

    def add(self, finding: Finding) -> None:
        self.waiting.append(finding.model_dump())
        if len(self.waiting) == BATCH:
            self.write()

    def write(self) -> None:
        import pyarrow as pa

        if self.waiting:
            self.file.write_table(pa.Table.from_pylist(self.waiting, schema=self.schema))
            self.waiting = []


def read_findings(path: Path) -> Iterator[dict[str, Any]]:
    """Every finding as a row of a table."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH):
        yield from batch.to_pylist()


def flagged_rows(path: Path, codes: Collection[str]) -> list[int]:
    """The numbers of the rows that findings of these codes name, each once, in order."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["row", "code"], filters=[("code", "in", list(codes))])
    return sorted(pc.unique(table["row"].drop_null()).to_pylist())
