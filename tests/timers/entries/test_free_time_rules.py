import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from timers.entries.free_time_rules import TimeRange, find_free_time, free_times


MS = dt.timedelta(milliseconds=1)
MIDNIGHT = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
DAY_MS = 200
DAY = TimeRange(MIDNIGHT, MIDNIGHT + DAY_MS * MS)


def from_to(start_ms, stop_ms):
    return TimeRange(MIDNIGHT + start_ms * MS, MIDNIGHT + stop_ms * MS)


# Times that reach into the day, some of them without length.
times = (
    st.tuples(st.integers(-50, DAY_MS - 1), st.integers(0, 60))
    .filter(lambda pair: sum(pair) > 0)
    .map(lambda pair: from_to(pair[0], sum(pair)))
)
lists = st.lists(times, max_size=8)


def overlap(one, other):
    """As a list of entries has it: a time without length overlaps the one that it is inside of."""
    return one.started_at < other.stopped_at and other.started_at < one.stopped_at


@given(busy=lists)
def test_each_instant_of_a_day_is_free_once_or_busy(busy):
    free = list(free_times(DAY, busy))

    for at in range(DAY_MS):
        instant = from_to(at, at + 1)
        assert sum(overlap(instant, each) for each in free) == (not any(overlap(instant, each) for each in busy))
    assert not any(overlap(one, other) for one in free for other in busy)
    assert all(each.length > dt.timedelta() for each in free)
    assert free == sorted(free, key=lambda each: each.started_at)


@given(busy=lists, length=st.integers(1, DAY_MS + 1), preferred=st.integers(-20, DAY_MS + 20))
def test_free_time_overlaps_nothing_and_is_found_if_there_is_any(busy, length, preferred):
    found = find_free_time(free_times(DAY, busy), length * MS, preferred_start=MIDNIGHT + preferred * MS)
    # The expected time comes from a try at every millisecond.
    every = (from_to(at, at + length) for at in range(DAY_MS - length + 1))
    free = [each for each in every if not any(overlap(each, other) for other in busy)]
    late = [each for each in free if each.started_at >= MIDNIGHT + preferred * MS]

    assert found == next(iter(late or free), None)


def test_a_day_without_time_has_no_free_time():
    assert list(free_times(TimeRange(MIDNIGHT, MIDNIGHT), [])) == []


def test_free_time_may_be_all_of_a_gap():
    free = [from_to(0, 50), from_to(60, 100)]

    assert find_free_time(free, 50 * MS, preferred_start=MIDNIGHT) == free[0]
    assert find_free_time(free, 51 * MS, preferred_start=MIDNIGHT) is None
    assert find_free_time(free, 40 * MS, preferred_start=MIDNIGHT + 11 * MS) == free[1]
