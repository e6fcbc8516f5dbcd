"""The only source of the time and of random ids; all other code gets them as parameters."""

import datetime as dt
import uuid


UTC = dt.UTC


def now() -> dt.datetime:
    """The present instant in UTC, cut to milliseconds, the precision of every database here."""
    instant = dt.datetime.now(UTC)  # noqa: TID251 - the only source of the time
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def new_id() -> uuid.UUID:
    """A random id, which does not reveal a count."""
    return uuid.uuid4()  # noqa: TID251 - the only source of ids
