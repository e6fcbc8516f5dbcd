"""Formats and parses instants: one form of RFC 3339 for input and output."""

import datetime as dt
import re
from typing import Final


_RFC3339: Final = re.compile(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
YEARS: Final = range(2000, 3000)  # far from the limits of date arithmetic


def rfc3339(instant: dt.datetime) -> str:
    """UTC with milliseconds, truncated, and Z: of constant width, so that texts sort by time."""
    return instant.astimezone(dt.UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_rfc3339(text: object) -> dt.datetime:
    """The instant in UTC, truncated to milliseconds. The text needs an offset.

    Raises:
        ValueError: the text has another form, or is before the year 2000.
    """
    try:
        if isinstance(text, str) and _RFC3339.match(text):
            instant = dt.datetime.fromisoformat(text).astimezone(dt.UTC)
            if instant.year in YEARS:
                return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time from the year 2000 on, with its offset from UTC, like 2026-11-23T09:30:00Z")
