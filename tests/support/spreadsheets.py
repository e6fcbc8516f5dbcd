"""Removes the apostrophes that protect CSV cells, by rules written independently of the product."""

import re

from shared.spreadsheet_conversions import is_converted


# The first characters of a formula in Excel, LibreOffice and Google Sheets, in half and full width.
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width letters on purpose
_FORMULA = "[\"']*[" + re.escape("".join(TRIGGERS)) + "]"


def remove_apostrophes(cell: str) -> str:
    """The text without the apostrophes that prevent a formula at its beginning or after a separator."""
    inside = re.sub(f"([,;|\t\r\n])'(?={_FORMULA})", r"\1", cell)
    is_escaped = cell.startswith("'") and (re.match(_FORMULA, inside[1:]) or is_converted(inside.lstrip("'")))
    return inside[1:] if is_escaped else inside
