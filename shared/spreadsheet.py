"""CSV that a spreadsheet opens without running anything in it (RFC 4180, OWASP on formula injection)."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final


CSV: Final = "text/csv"
_TRIGGERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
                    "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip


def safe(cell: str | float) -> str:
    """The cell as text; text that a spreadsheet would take for a formula is marked as text by an apostrophe."""
    if not isinstance(cell, str):
        return str(cell)
    return f"'{cell}" if cell.startswith(_TRIGGERS) else cell


def to_csv(header: Sequence[str], rows: Iterable[Sequence[str | float]]) -> bytes:
    """A table in UTF-8 with a byte-order mark, by which spreadsheets know the encoding."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")
