"""Screen of a command: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from maxft_client.terminal.text import one_line, plain

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`: as documented in docs/howto/client.md."""
    return click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")(command)


class Screen:
    """stdout gets what was asked for, and in JSON nothing else; stderr what is said besides."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, markup=False, emoji=False)
        self.notes = Console(stderr=True, highlight=False, markup=False, emoji=False)

    @property
    def is_live(self) -> bool:
        """Whether somebody watches: a terminal, and no JSON."""
        return not self.as_json and self.console.is_terminal

    def document(self, facts: object) -> None:
        """One JSON document or, of several, one a line."""
        sys.stdout.write(json.dumps(facts, allow_nan=False) + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """For people, on stdout."""
        if not self.as_json:
            self.console.print(Text(plain(text)), soft_wrap=True)

    def note(self, text: str) -> None:
        """For people, on stderr: programs may ignore it."""
        if not self.as_json:
            self.notes.print(Text(plain(text)), soft_wrap=True)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str = ""
    ) -> None:
        """A table; on what is no terminal a line a row, divided by tabs. `nothing`: where no row
        is."""
        found = [[one_line(cell) for cell in row] for row in rows]
        if not found and nothing:
            self.note(nothing)
            return
        if not self.console.is_terminal:
            for row in [list(columns), *found]:
                self.say("\t".join(row))
            return
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in found:
            table.add_row(*map(Text, row))
        self.console.print(table)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Names and values, a line each; what is empty is left out."""
        shown = {name: one_line(value) for name, value in facts.items() if value not in (None, "")}
        room = max(map(len, shown), default=0)
        for name, value in shown.items():
            self.say(f"{name:{room}}  {value}")

    def transfer(self) -> Progress:
        """Bytes on their way, beside the output; silent where nobody watches."""
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self.notes,
            transient=True,
            disable=not (self.notes.is_terminal and not self.as_json),
        )

    def steps(self) -> Progress:
        """Steps of a run on their way."""
        return Progress(
            TextColumn("{task.fields[phase]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[place]}", markup=False),
            TextColumn("{task.description}", markup=False),
            console=self.console,
            disable=not self.is_live,
        )
