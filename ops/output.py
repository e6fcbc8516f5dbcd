"""What operators see: tables on a terminal or in a pipe, JSON for machines; rows are shown as they come."""

import datetime as dt
import json
import os
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Annotated, Any, Final, TypeAlias

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.http.wire import rfc3339


AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Fields: TypeAlias = Mapping[str, Any]
_AT_ONCE: Final = 500
_PIPE_WIDTH: Final = 160


def screen() -> Console:
    """Standard output; a pipe has no width of its own, and narrow columns would break names in two."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if known else _PIPE_WIDTH, highlight=False, emoji=False)


def aside() -> Console:
    """Standard error: for questions, notes and progress, so that standard output holds the answer alone."""
    return Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    """The value as JSON has it."""
    match value:
        case dt.datetime():
            return rfc3339(value)
        case Enum():
            return value.value
        case uuid.UUID():
            return str(value)
        case Decimal():
            return _money(value)
        case _:
            return value


def shown(value: Any) -> str:  # noqa: ANN401 - whatever a field holds
    """The value as a person reads it; whoever typed a name cannot move the operator's cursor with it."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dt.datetime():
            return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M")
        case Enum() | Decimal():
            return str(plain(value))
        case _:
            return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))


def _money(value: Decimal) -> str:
    """At least two places, more only where they are not zero."""
    whole, _, places = f"{value:.4f}".partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


def print_json(document: Any) -> None:  # noqa: ANN401 - any JSON
    print(json.dumps(document, indent=2, default=plain))  # noqa: T201 - this is where output is made


def print_fields(title: str, fields: Fields) -> None:
    """One thing, a line for each of its fields."""
    table = _table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, Text(shown(value)))
    screen().print(Text(shown(title), style="bold"), table, sep="\n")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, nothing: str) -> None:
    """Many things, a part at a time: the first part decides the widths, and no more than a part is held."""
    coming = iter(rows)
    part = _texts(coming)
    if not part:
        aside().print(nothing)
        return
    widths = [max(map(cell_len, column)) for column in zip(columns, *part, strict=True)]
    console = screen()
    first = True
    while part:
        table = _table(show_header=first)
        for name, width in zip(columns, widths, strict=True):
            table.add_column(name, width=width, overflow="fold")
        for row in part:
            table.add_row(*map(Text, row))
        console.print(table)
        first, part = False, _texts(coming)


def print_json_rows(rows: Iterable[Fields]) -> None:
    """One JSON array, a line for each row, written as they come."""
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n{json.dumps(row, default=plain)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _texts(rows: Iterator[Sequence[Any]]) -> list[list[str]]:
    return [[shown(cell) for cell in row] for row in islice(rows, _AT_ONCE)]


def _table(**options: Any) -> Table:  # noqa: ANN401 - handed to rich
    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        header_style="bold",
        **options,
    )
