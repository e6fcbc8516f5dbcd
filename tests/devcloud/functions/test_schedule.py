import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcloud.functions.schedule import Schedule, ScheduleError, resolve_settings


START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


LIMITS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
EVERY_MONTH_HAS = 28


def field(low: int, high: int) -> st.SearchStrategy[list[int]]:
    some = st.lists(st.integers(low, min(high, EVERY_MONTH_HAS)), min_size=1, max_size=4, unique=True)
    return st.just(list(range(low, high + 1))) | some.map(sorted)


def format_field(allowed: list[int], limits: tuple[int, int]) -> str:
    return "*" if allowed == list(range(limits[0], limits[1] + 1)) else ",".join(map(str, allowed))


@given(
    st.tuples(*(field(low, high) for low, high in LIMITS)),
    st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
)
def test_the_next_time_is_the_first_at_which_every_field_matches(fields, after):
    text = " ".join(map(format_field, fields, LIMITS))

    assert Schedule(text).next(after) == first_match(fields, after)


def first_match(fields: tuple[list[int], ...], after: dt.datetime) -> dt.datetime:
    """The same by counting: days first, then the times of a day."""
    second, minute, hour, day, month, weekday = fields
    date = after.date()
    while True:
        if date.month in month and date.day in day and date.isoweekday() % 7 in weekday:
            for h, m, s in itertools.product(hour, minute, second):
                moment = dt.datetime.combine(date, dt.time(h, m, s, tzinfo=dt.UTC))
                if moment > after:
                    return moment
        date += dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 0 2 1 * *", START, "2026-01-01T02:00:00+00:00"),
        ("0 10 * * * *", START, "2026-01-01T00:10:00+00:00"),
        ("10 * * * *", START, "2026-01-01T00:10:00+00:00"),
        ("*/15 * * * * *", START, "2026-01-01T00:00:15+00:00"),
        ("0 30 9 * jan mon", START, "2026-01-05T09:30:00+00:00"),
        ("0 0 0 13 * 5", START, "2026-02-13T00:00:00+00:00"),
        ("0 0 0 * * 0", START, "2026-01-04T00:00:00+00:00"),
        ("0 0 9-17 * * MON-FRI", START, "2026-01-01T09:00:00+00:00"),
        ("0 0 0 29 2 *", START, "2028-02-29T00:00:00+00:00"),
    ],
)
def test_day_and_weekday_must_both_match_and_sunday_is_0(text, after, expected):
    assert Schedule(text).next(after).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * *",
        "0 0 25 * * *",
        "0 0 0 * * 7",
        "60 * * * * *",
        "0 0 0 L * *",
        "0 0 0 30 2 *",
        "@daily",
        "0 0 0 ? * *",
        "0 0 22-2 * * *",
        "0 0 0 * * jan",
    ],
)
def test_an_invalid_schedule_is_refused_with_its_text(text):
    with pytest.raises(ScheduleError) as refused:
        Schedule(text)

    assert repr(text) in str(refused.value)


def test_settings_are_filled_in_and_an_unset_one_is_named():
    assert resolve_settings("%NIGHTLY%", {"NIGHTLY": "0 0 3 * * *"}) == "0 0 3 * * *"
    assert resolve_settings("0 %MINUTE% 3 * * *", {"MINUTE": "5"}) == "0 5 3 * * *"
    with pytest.raises(ScheduleError, match="the setting NIGHTLY is not set"):
        resolve_settings("%NIGHTLY%", {"NIGHTLY": " "})


def test_an_interval_is_compared_by_the_next_two_times():
    assert Schedule("*/30 * * * * *").is_shorter_than(dt.timedelta(minutes=1), now=START)
    assert not Schedule("0 * * * * *").is_shorter_than(dt.timedelta(minutes=1), now=START)
