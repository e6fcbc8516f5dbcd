"""What operators see: tables on a terminal or in a pipe, JSON for machines; rows are shown as they come."""

import datetime as dt
import json
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Annotated, Any, Final, TypeAlias

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.instants import rfc3339


AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Fields: TypeAlias = Mapping[str, Any]
_AT_ONCE: Final = 500
_GAP: Final = "   "


def screen() -> Console:
    """Standard output, for the answer."""
    return Console(highlight=False, emoji=False)


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
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, Text(shown(value)))
    screen().print(Text(shown(title), style="bold"), table, sep="\n")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, nothing: str) -> None:
    """Many things, a part at a time: the first part decides the widths, and no more than a part is held.

    A line is never broken or cut, whatever the width of the terminal: each can be searched for and piped on. Written
    without rich, whose tables take milliseconds for a row.
    """
    coming = iter(rows)
    part = _texts(coming)
    if not part:
        aside().print(nothing)
        return
    widths = [max(map(cell_len, column)) for column in zip(columns, *part, strict=True)]
    head = f"{_line(columns, widths)}\n{'─' * (sum(widths) + len(_GAP) * (len(widths) - 1))}"
    screen().print(Text(head, style="bold"), soft_wrap=True)
    while part:
        sys.stdout.writelines(f"{_line(row, widths)}\n" for row in part)
        part = _texts(coming)


def print_json_rows(rows: Iterable[Fields]) -> None:
    """One JSON array, a line for each row, written as they come."""
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n{json.dumps(row, default=plain)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _texts(rows: Iterator[Sequence[Any]]) -> list[list[str]]:
    return [[shown(cell) for cell in row] for row in islice(rows, _AT_ONCE)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()
