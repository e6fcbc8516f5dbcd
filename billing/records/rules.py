"""How the period of a bill is written, and why a month has no record; pure."""

import datetime as dt
from zoneinfo import ZoneInfo

from shared.calendar import Month, day_text


def period_days(starts_at: dt.datetime, ends_at: dt.datetime, zone: ZoneInfo) -> tuple[str, str]:
    """The first and the last day of a half-open period, with the time of day where it is not midnight."""
    first, after = starts_at.astimezone(zone), ends_at.astimezone(zone)
    if after.time() == dt.time() and ends_at > starts_at:
        return _day_or_instant(first), day_text(after - dt.timedelta(days=1))
    return _day_or_instant(first), instant_text(after)


def instant_text(instant: dt.datetime) -> str:
    """An instant in the zone that it is in."""
    return f"{day_text(instant)}, {instant:%H:%M}"


def _day_or_instant(instant: dt.datetime) -> str:
    return day_text(instant) if instant.time() == dt.time() else instant_text(instant)


def no_record(month: Month, current: Month) -> str:
    """Why a month has no record, seen from the current month of its tenant."""
    if month == current:
        return "This month is still open. The preview shows what it comes to so far."
    if month > current:
        return "This month has not begun."
    return (
        "This month has no record: nothing was paid for in it, or it has just ended and is closed within the hour. "
        "The list of records shows all there are."
    )
