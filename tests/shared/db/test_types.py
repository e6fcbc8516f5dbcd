import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql, sqlite

from shared.db.types import Hours, UtcDateTime


AT = dt.datetime(2026, 11, 23, 10, 0, 0, 123_999, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect(), mssql.dialect()], ids=lambda d: d.name)
def test_a_naive_instant_is_refused(dialect):
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(AT.replace(tzinfo=None), dialect)


def test_an_instant_comes_back_in_utc_to_the_millisecond(engine):
    value = sa.cast(
        sa.literal(AT, UtcDateTime), UtcDateTime
    )  # SQL Server takes a bare one for the text that it is sent as
    with engine.connect() as connection:
        got = connection.scalar(sa.select(value))

    assert got == dt.datetime(2026, 11, 23, 8, 0, 0, 123_000, tzinfo=dt.UTC)
    assert got.utcoffset() == dt.timedelta(0)


@pytest.mark.parametrize("hours", ["0", "1.5", "0.0001", "99999999.9999"])
def test_hours_come_back_as_they_were(engine, hours):
    with engine.connect() as connection:
        got = connection.scalar(sa.select(sa.literal(Decimal(hours), Hours)))

    assert got == Decimal(hours)


def test_instants_sort_as_text_on_sqlite_as_they_do_in_time():
    dialect = sqlite.dialect()
    instants = [AT + dt.timedelta(milliseconds=step**5) for step in range(30)]
    texts = [UtcDateTime().process_bind_param(instant, dialect) for instant in instants]

    assert texts == sorted(texts)
