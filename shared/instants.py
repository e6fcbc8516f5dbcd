"""How an instant is written and read wherever it leaves or enters: one spelling of RFC 3339."""

import datetime as dt
import re
from typing import Final


_RFC3339: Final = re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
YEARS: Final = range(2000, 3000)  # far from where the arithmetic of dates ends


def rfc3339(instant: dt.datetime) -> str:
    """UTC with milliseconds, cut and not rounded, and a Z: always of the same width, so that it sorts as time."""
    return instant.astimezone(dt.UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_rfc3339(text: object) -> dt.datetime:
    """The instant in UTC, cut to the millisecond; with any offset, but not without one.

    Raises:
        ValueError: it is spelled otherwise, as a number in quotes is, or lies before the year 2000.
    """
    try:
        if isinstance(text, str) and _RFC3339.match(text):
            instant = dt.datetime.fromisoformat(text).astimezone(dt.UTC)
            if instant.year in YEARS:
                return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time from the year 2000 on, with its offset from UTC, like 2026-11-23T09:30:00Z")
