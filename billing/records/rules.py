"""How months, money and the days of a bill are spelled, and why a month has no record: pure, and without data."""

import datetime as dt
import re
from typing import Final
from zoneinfo import ZoneInfo


_MONTH: Final = re.compile(r"\A(20[0-9]{2})-(0[1-9]|1[0-2])\Z", re.ASCII)


def month_key(text: str) -> int:
    """YYYY-MM as yyyymm.

    Raises:
        ValueError: it is not a month.
    """
    found = _MONTH.match(text)
    if found is None:
        raise ValueError("not a month")
    return int(found[1]) * 100 + int(found[2])


def month_text(key: int) -> str:
    """A month (yyyymm) as YYYY-MM."""
    return f"{key // 100:04}-{key % 100:02}"


def period_days(starts_at: dt.datetime, ends_at: dt.datetime, zone: ZoneInfo) -> tuple[str, str]:
    """The first and the last day of a half-open period, with the time of day where it is not midnight."""
    first, after = starts_at.astimezone(zone), ends_at.astimezone(zone)
    if after.time() == dt.time() and ends_at > starts_at:
        return _day_or_instant(first), day_text(after - dt.timedelta(days=1))
    return _day_or_instant(first), instant_text(after)


def day_text(day: dt.date) -> str:
    """A day as no two countries read it differently."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def instant_text(instant: dt.datetime) -> str:
    """An instant in the zone that it is in."""
    return f"{day_text(instant)}, {instant:%H:%M}"


def month_name(key: int) -> str:
    return f"{_MONTHS[key % 100 - 1]} {key // 100}"


def _day_or_instant(instant: dt.datetime) -> str:
    return day_text(instant) if instant.time() == dt.time() else instant_text(instant)


# Not from the locale, which is the machine's.
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def no_record(key: int, current: int) -> str:
    """Why a month (yyyymm) has no record, seen from the current month of its tenant."""
    if key == current:
        return "This month is still open. The preview shows what it comes to so far."
    if key > current:
        return "This month has not begun."
    return (
        "This month has no record: nothing was paid for in it, or it has just ended and is closed within the hour. "
        "The list of records shows all there are."
    )
