"""The only reader of the clock and the only source of random ids; everything else is handed both."""

import datetime as dt
import uuid


UTC = dt.UTC


def now() -> dt.datetime:
    """The instant, aware and in UTC, cut to the millisecond that every database here keeps."""
    instant = dt.datetime.now(UTC)  # noqa: TID251 - this is the one door to the clock
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def new_id() -> uuid.UUID:
    """A random id: it says nothing about how many there are."""
    return uuid.uuid4()  # noqa: TID251 - this is the one source of ids
