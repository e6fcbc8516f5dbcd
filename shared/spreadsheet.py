"""CSV that spreadsheets open without formulas, conversions or shifted cells (RFC 4180, OWASP)."""

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

from shared.spreadsheet_conversions import FORMULA_TRIGGERS, is_converted


CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Cell = str | int | Decimal | dt.date | None
_IN_MEMORY: Final = 2**20
_REPEATED: Final = 2000
# With another separator than the written one, a cell may begin at any of these, and quotes are text. An apostrophe
# that is there already belongs to the text.
_FORMULA: Final = rf"[\"']*[{re.escape(FORMULA_TRIGGERS)}]"
_TRIGGER: Final = re.compile(rf"[{re.escape(FORMULA_TRIGGERS)}]")
_FIRST: Final = re.compile(_FORMULA)
_LATER: Final = re.compile(rf"([,;|\t\r\n])(?={_FORMULA})")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The separator of cells and the decimal mark, which differ."""

    separator: str = ","
    decimal: str = "."


EXCEL_EN: Final = Dialect()
EXCEL_EU: Final = Dialect(";", ",")


class Unquoted(str):
    """A cell without quotes, such as true: the csv writer does not quote values with `__float__`."""

    __slots__ = ()

    def __float__(self) -> float:
        raise TypeError("this value is only written")


def escape(text: str) -> str:
    """The text with an apostrophe at each place where a spreadsheet would begin a formula, or convert the whole.

    Removing one apostrophe at each of these places restores the text; a text that looks escaped is escaped again.
    """
    marked = text
    begins = False
    if _TRIGGER.search(text):
        marked, begins = _LATER.sub(r"\1'", text), _FIRST.match(text) is not None
    return f"'{marked}" if begins or is_converted(text.lstrip("'")) else marked


def write(out: BinaryIO, header: Sequence[str], rows: Iterable[Iterable[Cell]], dialect: Dialect = EXCEL_EN) -> None:
    """Writes a table in UTF-8 with a byte-order mark, for spreadsheets, row by row.

    Text is quoted, so that a separator in it does not shift cells; numbers and dates are not.
    """
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, delimiter=dialect.separator, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(header)
    escaped = lru_cache(_REPEATED)(escape)  # names repeat; cached for this file
    decimal = dialect.decimal
    writer.writerows([escaped(cell) if type(cell) is str else _value(cell, decimal) for cell in row] for row in rows)
    text.flush()
    text.detach()


def to_csv(header: Sequence[str], rows: Iterable[Iterable[Cell]], dialect: Dialect = EXCEL_EN) -> bytes:
    """The same as bytes; the memory grows with the bytes alone."""
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
