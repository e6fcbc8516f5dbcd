"""CSV that a spreadsheet opens without running, guessing or shifting anything in it (RFC 4180, OWASP)."""

import csv
import datetime as dt
import io
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, BinaryIO, Final

from shared.spreadsheet_guesses import FORMULA_TRIGGERS, is_guessed


CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Cell = str | int | Decimal | dt.date | None
_IN_MEMORY: Final = 2**20
_REPEATED: Final = 2000
# A cell may begin at any of these when the file is read with another separator than it was written with; its quotes
# are then text. An apostrophe that is already there belongs to the text.
_FORMULA: Final = rf"[\"']*[{re.escape(FORMULA_TRIGGERS)}]"
_TRIGGER: Final = re.compile(rf"[{re.escape(FORMULA_TRIGGERS)}]")
_FIRST: Final = re.compile(_FORMULA)
_LATER: Final = re.compile(rf"([,;|\t\r\n])(?={_FORMULA})")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What separates the cells, and what the whole from the fraction of a number; never the same."""

    separator: str = ","
    decimal: str = "."


EXCEL_EN: Final = Dialect()
EXCEL_EU: Final = Dialect(";", ",")


class Unquoted(str):
    """A value of our own as it stands in the file, like true: what says it is a number, the writer does not quote."""

    __slots__ = ()

    def __float__(self) -> float:
        raise TypeError("it is written, not computed with")


def safe(text: str) -> str:
    """The text with an apostrophe wherever a spreadsheet would begin a formula, or take the whole for a value.

    Whoever takes one apostrophe off at each of these places gets back what it was: a text that looks marked already
    is marked once more.
    """
    marked = text
    begins = False
    if _TRIGGER.search(text):
        marked, begins = _LATER.sub(r"\1'", text), _FIRST.match(text) is not None
    return f"'{marked}" if begins or is_guessed(text.lstrip("'")) else marked


def write(out: BinaryIO, header: Sequence[str], rows: Iterable[Iterable[Cell]], dialect: Dialect = EXCEL_EN) -> None:
    """A table in UTF-8 with a byte-order mark, by which spreadsheets know the encoding; rows go as they come.

    Every text is in quotes, so that no separator in it moves the cells behind; numbers and dates are not.
    """
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, delimiter=dialect.separator, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(header)
    marked = lru_cache(_REPEATED)(safe)  # names come again and again; kept for this one file
    decimal = dialect.decimal
    writer.writerows([marked(cell) if type(cell) is str else _value(cell, decimal) for cell in row] for row in rows)
    text.flush()
    text.detach()


def to_csv(header: Sequence[str], rows: Iterable[Iterable[Cell]], dialect: Dialect = EXCEL_EN) -> bytes:
    """The same as bytes; however many rows there are, only the bytes of the answer are held."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        write(spool, header, rows, dialect)  # type: ignore[arg-type]  # it has all that is needed
        spool.seek(0)
        return spool.read()


def _value(cell: Cell, decimal: str) -> Any:  # noqa: ANN401 - what the writer takes
    if isinstance(cell, Decimal):
        return Unquoted(f"{cell:f}".replace(".", decimal))
    if isinstance(cell, dt.date):
        return Unquoted(cell.isoformat())
    return cell
