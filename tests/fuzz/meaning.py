"""Rules that a JSON schema cannot express: valid requests that the product may refuse; other refusals are defects."""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.http.etag import PATTERN


MEANING: Final = (
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


def _is_longer_in_units(value: str, said: re.Match[str]) -> bool:
    """As Azure SQL counts them, in UTF-16, where schemas count code points."""
    units = len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value) <= int(said["limit"]) < units


def _is_of_no_year(value: str, _said: re.Match[str]) -> bool:
    """Of a year that no work is of; at the ends of them the offset decides."""
    return not "2000-01-02" <= value[:10] <= "2999-12-30"


def _changes_direction(value: str, _said: re.Match[str]) -> bool:
    return any(unicodedata.bidirectional(each) in _DIRECTIONS or each in _MARKS for each in value)


def _is_no_day(value: str, said: re.Match[str]) -> bool:
    try:
        dt.date.fromisoformat(value)
    except ValueError:  # not every month has a 31st
        return True
    return _is_of_no_year(value, said)


def _is_no_instant(value: str, said: re.Match[str]) -> bool:
    """Our calendar knows of no leap second."""
    return value[17:19] == "60" or _is_of_no_year(value, said)


def _is_no_tag(value: str, _said: re.Match[str]) -> bool:
    """Which the schema does tell: schemathesis hands a version on, from an answer's field, and calls it sound."""
    return re.match(PATTERN, value) is None


# Argued by the value as well, which must be one of those that the schema cannot tell.
OF_VALUES: Final[Mapping[re.Pattern[str], Callable[[str, re.Match[str]], bool]]] = {
    re.compile(r"must not have characters that change the direction of text\Z"): _changes_direction,
    re.compile(r"must have at most (?P<limit>\d+) characters\Z"): _is_longer_in_units,
    re.compile(r"must be a time from the year 2000 on, with its offset from UTC, "): _is_no_instant,
    re.compile(r"must be a date from the year 2000 on, "): _is_no_day,
    re.compile(r"must be a day like "): _is_no_day,
    re.compile(r"must be an ETag from a response, "): _is_no_tag,
}


def is_argued(pointer: str, detail: str, *, body: Any, parameters: Mapping[str, Any]) -> bool:  # noqa: ANN401 - JSON
    """Whether a sound field's refusal in these words is one that no schema can say."""
    for words, explains in OF_VALUES.items():
        if said := words.match(detail):
            value = _at(pointer, body) if pointer.startswith("/") else parameters.get(pointer)
            return isinstance(value, str) and explains(value, said)
    return detail.startswith(MEANING)


def _at(pointer: str, body: Any) -> Any:  # noqa: ANN401 - JSON
    value = body
    for step in pointer.split("/")[1:]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value
