"""Texts of periods, and the reason for a missing record; pure."""

import datetime as dt
from zoneinfo import ZoneInfo

from shared.calendar import Month, day_text


def period_days(starts_at: dt.datetime, ends_at: dt.datetime, zone: ZoneInfo) -> tuple[str, str]:
    """The first and the last day of a half-open period, with the time of day unless it is midnight."""
    first, after = starts_at.astimezone(zone), ends_at.astimezone(zone)
    if after.time() == dt.time() and ends_at > starts_at:
        return _day_or_instant(first), day_text(after - dt.timedelta(days=1))
    return _day_or_instant(first), instant_text(after)


def instant_text(instant: dt.datetime) -> str:
    """Day and time of an instant, in its own time zone."""
    return f"{day_text(instant)}, {instant:%H:%M}"


def _day_or_instant(instant: dt.datetime) -> str:
    return day_text(instant) if instant.time() == dt.time() else instant_text(instant)


def no_record(month: Month, current: Month) -> str:
    """The reason for the missing record of a month; `current` is the tenant's present month."""
    if month == current:
        return "This month is still open. The preview shows its bill so far."
    if month > current:
        return "This month has not begun."
    return (
        "This month has no record: you had no paid subscription, or the month has just ended and is closed within the "
        "hour. The list of records shows all records."
    )
