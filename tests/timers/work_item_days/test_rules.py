"""Reductions of a day: exact to the millisecond, and nothing else changes."""

import datetime as dt
import uuid
from dataclasses import replace
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from timers.days import elapsed_ms, split
from timers.model import Source, TimeEntry, WorkItem
from timers.work_item_days.rules import find_extendable, reduce, time_on


DAY = dt.date(2026, 10, 25)
ZONES = ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Kiritimati"]
MS = dt.timedelta(milliseconds=1)
HOUR = 3_600_000
MIDNIGHT = dt.datetime(2026, 10, 25, tzinfo=dt.UTC)
ITEM = WorkItem(1, 1, "contoso", "Website", 42)


def entry(number, start_ms, length_ms, zone="UTC", source=Source.MANUAL):
    started_at = MIDNIGHT + start_ms * MS
    return spanning(number, started_at, started_at + length_ms * MS, zone, source)


def spanning(number, started_at, stopped_at, zone="UTC", source=Source.MANUAL):
    return TimeEntry(
        id=uuid.UUID(int=number),
        user_id=1,
        work_item=ITEM,
        started_at=started_at,
        stopped_at=stopped_at,
        elapsed_ms=elapsed_ms(started_at, stopped_at),
        existing_hours=None,
        note=None,
        source=source,
        needs_review=False,
        time_zone=zone,
        end_inferred=False,
        version=1,
        days=split(started_at, stopped_at, ZoneInfo(zone)),
    )


@st.composite
def entries_on_the_day(draw):
    specs = draw(
        st.lists(
            st.tuples(
                st.integers(-40 * HOUR, 40 * HOUR),
                st.one_of(st.integers(1, 5), st.integers(1, 80 * HOUR)),
                st.sampled_from(ZONES),
                st.sampled_from(list(Source)),
            ),
            min_size=1,
            max_size=6,
        )
    )
    made = [entry(number, *spec) for number, spec in enumerate(specs)]
    return [each for each in made if time_on(each, DAY)]


def applied(reduction):
    """The days of an entry after a reduction."""
    if reduction.deletes:
        return {}
    old = reduction.entry
    new = replace(
        old,
        started_at=reduction.started_at or old.started_at,
        stopped_at=reduction.stopped_at or old.stopped_at,
    )
    assert new.started_at < new.stopped_at
    assert old.started_at <= new.started_at
    assert new.stopped_at <= old.stopped_at
    return {piece.date: piece.elapsed_ms for piece in split(new.started_at, new.stopped_at, ZoneInfo(old.time_zone))}


@given(entries=entries_on_the_day(), data=st.data())
def test_a_reduction_takes_exactly_its_time_from_the_day_and_none_from_other_days(entries, data):
    present = sum(time_on(each, DAY) for each in entries)
    wanted = data.draw(st.integers(0, present))
    reductions = reduce(entries, DAY, present - wanted)
    possible = sum(time_on(each, DAY) for each in entries if DAY in {each.days[0].date, each.days[-1].date})

    assert (reductions is None) == (present - wanted > possible)
    if reductions is None:
        return
    taken = 0
    for each in reductions:
        before, after = {piece.date: piece.elapsed_ms for piece in each.entry.days}, applied(each)
        taken += before.pop(DAY) - after.pop(DAY, 0)
        assert after == before
    assert taken == present - wanted
    assert len({each.entry.id for each in reductions}) == len(reductions)


def reduced(entries, elapsed_ms):
    reductions = reduce(entries, DAY, elapsed_ms)
    assert reductions is not None
    return reductions


def test_entries_by_hand_are_reduced_first_and_the_latest_first():
    measured = entry(1, 20 * HOUR, HOUR, source=Source.TIMER)
    early, late = entry(2, 8 * HOUR, HOUR), entry(3, 10 * HOUR, HOUR)
    reductions = reduced([measured, early, late], 2 * HOUR + 1)

    assert [(each.entry, each.deletes) for each in reductions] == [(late, True), (early, True), (measured, False)]
    assert reductions[2].stopped_at == measured.stopped_at - MS


def test_an_entry_over_midnight_loses_only_its_part_of_the_day():
    into = entry(1, -2 * HOUR, 5 * HOUR)
    out_of = entry(2, 22 * HOUR, 4 * HOUR)

    assert reduced([into], 3 * HOUR)[0].stopped_at == MIDNIGHT
    assert reduced([out_of], 2 * HOUR)[0].started_at == MIDNIGHT + 24 * HOUR * MS
    assert reduced([out_of], 1)[0].started_at == out_of.started_at + MS


def test_an_entry_that_goes_on_before_and_after_the_day_stays():
    long = entry(1, -HOUR, 30 * HOUR)

    assert reduce([long], DAY, 1) is None
    assert [each.entry.id.int for each in reduced([long, entry(2, 0, 2)], 1)] == [2]
    assert reduce([long, entry(2, 0, 2)], DAY, 3) is None


def test_no_reduction_changes_nothing():
    assert reduce([entry(1, 0, HOUR)], DAY, 0) == []


def test_only_entries_by_hand_of_this_zone_that_end_on_the_day_get_longer():
    measured, next_day = entry(1, 0, HOUR, source=Source.TIMER), entry(2, 20 * HOUR, 6 * HOUR)
    other_zone = entry(3, 6 * HOUR, HOUR, "Europe/Berlin")
    early, late = entry(4, 8 * HOUR, HOUR), entry(5, 10 * HOUR, HOUR)

    assert find_extendable([measured, next_day, other_zone, early, late], DAY, "UTC") == [late, early]
