"""A month's neighbors, spelling and first instant."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import Month


MONTHS = st.builds(Month, st.integers(2000, 2099), st.integers(1, 12))


@given(MONTHS)
def test_a_month_is_read_back_from_its_key_its_text_and_its_first_day(month):
    back = {Month.from_key(month.key), Month.parse(str(month)), Month.of_day(month.first_day)}

    assert back == {month}


@given(MONTHS)
def test_the_next_month_begins_the_day_after_a_month_ends(month):
    assert month.next.previous == month
    assert month < month.next
    assert (month.next.first_day - dt.timedelta(days=1)).month == month.number


def test_a_month_is_that_of_the_time_zone():
    instant = dt.datetime(2026, 11, 30, 23, 30, tzinfo=dt.UTC)

    assert str(Month.of(instant, ZoneInfo("Europe/Berlin"))) == "2026-12"
    assert str(Month.of(instant, dt.UTC)) == "2026-11"
    assert Month.of(instant, dt.UTC).name == "November 2026"


def test_a_month_begins_at_midnight_of_its_zone():
    assert Month(2026, 12).starts_at(ZoneInfo("Europe/Berlin")) == dt.datetime(2026, 11, 30, 23, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-13", "2026-00", "1999-12", "2026-1", "2026-011", "٢٠٢٦-11", " 2026-11", "2026-01\n", "", None, 202611],
)
def test_other_text_is_no_month(text):
    with pytest.raises(ValueError, match="must be a month"):
        Month.parse(text)
