"""CSV that a spreadsheet opens without running anything in it (RFC 4180, OWASP on formula injection)."""

import csv
import io
import tempfile
from collections.abc import Iterable, Sequence
from typing import Final


CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TRIGGERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
                    "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
_IN_MEMORY: Final = 2**20


def safe(cell: str | float) -> str:
    """The cell as text; text that a spreadsheet would take for a formula is marked as text by an apostrophe.

    So is text that looks marked already: whoever takes one apostrophe off gets back what it was.
    """
    if not isinstance(cell, str):
        return str(cell)
    return f"'{cell}" if cell.lstrip("'").startswith(_TRIGGERS) else cell


def to_csv(header: Sequence[str], rows: Iterable[Sequence[str | float]]) -> bytes:
    """A table in UTF-8 with a byte-order mark, by which spreadsheets know the encoding.

    Rows are written away as they come, so however many there are, only the bytes of the answer are held.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        out = io.TextIOWrapper(spool, encoding="utf-8-sig", newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows([safe(cell) for cell in row] for row in rows)
        out.flush()
        spool.seek(0)
        body = spool.read()
        out.detach()
    return body
