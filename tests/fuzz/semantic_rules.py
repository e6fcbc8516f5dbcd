"""Rules that a JSON schema cannot express: expected refusals of requests that are valid by the schema."""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.http.etag import PATTERN


EXPECTED_DETAILS: Final = (
    "is not a valid page cursor",
    "must change something",
    "must have either startedAt and stoppedAt, or date and elapsedMs",
    "must change displayName or role",
    "must be given together with",
    "must be given if from is not",
    "must be given for CSV only",
    "must be given for workbooks only",
    "must be given without separator and decimal",
    "must not be the separator as well",
    "must name a user or the scope tenant",
    "must be either one action",
    "must not be before from",
    "must be at most 366 days",
    "must be from 0 to 365 days after from",
    "must be an existing week",  # not every year has a 53rd
    "must be one or more of project, user, workItem, day, each once",
    "must be an IANA time zone",
    "must be an active Azure DevOps organization of",
    "must have visible characters",
    "must be the e-mail address",
    "must be the slug",
    "must not be blank",
    "must be one line",
    "must be a whole number",  # 2.0 is an integer to JSON Schema
    "must not be in the future",
    "must be after the start",
    "must be before the end",
    "must make the entry",
    "must be within the last 24 hours",
    "must not be more than 24 hours ago",
    "must be a path",
    "is required: 1 to 400 characters",
)


_DIRECTIONS: Final = frozenset({"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"})
_MARKS: Final = frozenset("\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}")


def _is_longer_in_units(value: str, match: re.Match[str]) -> bool:
    """Too long in UTF-16 units, as Azure SQL counts; schemas count code points."""
    units = len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value) <= int(match["limit"]) < units


def _is_outside_years(value: str, _match: re.Match[str]) -> bool:
    """Outside the allowed years; at their ends the offset decides."""
    return not "2000-01-02" <= value[:10] <= "2999-12-30"


def _changes_direction(value: str, _match: re.Match[str]) -> bool:
    return any(unicodedata.bidirectional(each) in _DIRECTIONS or each in _MARKS for each in value)


def _is_no_day(value: str, match: re.Match[str]) -> bool:
    try:
        dt.date.fromisoformat(value)
    except ValueError:  # not every month has a 31st
        return True
    return _is_outside_years(value, match)


def _is_no_instant(value: str, match: re.Match[str]) -> bool:
    """Also a leap second, which our calendar does not have."""
    return value[17:19] == "60" or _is_outside_years(value, match)


def _is_no_tag(value: str, _match: re.Match[str]) -> bool:
    """Invalid by the schema too; but schemathesis passes the version field of a response as a valid header."""
    return re.match(PATTERN, value) is None


# Expected for some values only, which a schema cannot distinguish.
EXPECTED_BY_VALUE: Final[Mapping[re.Pattern[str], Callable[[str, re.Match[str]], bool]]] = {
    re.compile(r"must not have characters that change the direction of text\Z"): _changes_direction,
    re.compile(r"must have at most (?P<limit>\d+) characters\Z"): _is_longer_in_units,
    re.compile(r"must be a time from the year 2000 on, with its offset from UTC, "): _is_no_instant,
    re.compile(r"must be a date from the year 2000 on, "): _is_no_day,
    re.compile(r"must be a day like "): _is_no_day,
    re.compile(r"must be an ETag from a response, "): _is_no_tag,
}


def is_expected_refusal(pointer: str, detail: str, *, body: Any, parameters: Mapping[str, Any]) -> bool:  # noqa: ANN401 - JSON
    """Whether the refusal of a field, with this detail, is by a rule that no schema can express."""
    for words, matches in EXPECTED_BY_VALUE.items():
        if match := words.match(detail):
            value = _at(pointer, body) if pointer.startswith("/") else parameters.get(pointer)
            return isinstance(value, str) and matches(value, match)
    return detail.startswith(EXPECTED_DETAILS)


def _at(pointer: str, body: Any) -> Any:  # noqa: ANN401 - JSON
    value = body
    for step in pointer.split("/")[1:]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value
