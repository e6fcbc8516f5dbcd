"""What marks keep in a CSV, and how a reader takes them off; the rules are written down here once more."""

import re

from shared.spreadsheet_conversions import is_converted


# By what Excel, LibreOffice and Google Sheets begin a formula, in half and full width.
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")  # noqa: RUF001 - these are the letters meant
_FORMULA = "[\"']*[" + re.escape("".join(TRIGGERS)) + "]"


def remove_apostrophes(cell: str) -> str:
    """The text without the apostrophes that keep it, or what follows a separator in it, from being a formula."""
    inside = re.sub(f"([,;|\t\r\n])'(?={_FORMULA})", r"\1", cell)
    kept = cell.startswith("'") and (re.match(_FORMULA, inside[1:]) or is_converted(inside.lstrip("'")))
    return inside[1:] if kept else inside
