"""The output of commands: tables for people, JSON for programs; rows are printed as they are read."""

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
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.instants import rfc3339


AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Fields: TypeAlias = Mapping[str, Any]
_PART: Final = 500
_GAP: Final = "   "


def stdout_console() -> Console:
    """Standard output, for the result."""
    return Console(highlight=False, emoji=False)


def stderr_console() -> Console:
    """Standard error, for questions, notes and progress: standard output has the result alone."""
    return Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def to_json(value: Any) -> Any:  # noqa: ANN401 - any value of a field
    """The value as a JSON value."""
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


def format_value(value: Any) -> str:  # noqa: ANN401 - any value of a field
    """The value for a person; control characters in it, as in a name, cannot move the terminal's cursor."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dt.datetime():
            return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M")
        case Enum() | Decimal():
            return str(to_json(value))
        case _:
            return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))


def _money(value: Decimal) -> str:
    """At least two places, more only where they are not zero."""
    whole, _, places = f"{value:.4f}".partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


def print_json(document: Any) -> None:  # noqa: ANN401 - any JSON
    print(json.dumps(document, indent=2, default=to_json))  # noqa: T201 - the output itself


def print_fields(title: str, fields: Fields) -> None:
    """One object, a line for each of its fields."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, Text(format_value(value)))
    stdout_console().print(Text(format_value(title), style="bold"), table, sep="\n")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table, printed in parts of 500 rows; the first part decides the widths. `empty` is the note for no rows.

    A line is never wrapped or cut, so each row can be searched and piped. Rich is not used: its tables take
    milliseconds per row.
    """
    remaining = iter(rows)
    part = _format_part(remaining)
    if not part:
        stderr_console().print(empty)
        return
    widths = [max(map(cell_len, column)) for column in zip(columns, *part, strict=True)]
    head = f"{_line(columns, widths)}\n{'─' * (sum(widths) + len(_GAP) * (len(widths) - 1))}"
    stdout_console().print(Text(head, style="bold"), soft_wrap=True)
    while part:
        sys.stdout.writelines(f"{_line(row, widths)}\n" for row in part)
        part = _format_part(remaining)


def print_wrapped_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table of sentences, wrapped to the width of the terminal."""
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(format_value(cell)) for cell in row))
    stdout_console().print(table)


def print_json_rows(rows: Iterable[Fields]) -> None:
    """One JSON array with a line for each row, written as the rows are read."""
    separator = "["
    for row in rows:
        sys.stdout.write(f"{separator}\n{json.dumps(row, default=to_json)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _format_part(rows: Iterator[Sequence[Any]]) -> list[list[str]]:
    return [[format_value(cell) for cell in row] for row in islice(rows, _PART)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()
