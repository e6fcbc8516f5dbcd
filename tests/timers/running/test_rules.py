import datetime as dt
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import InvalidRequest, RetryableConflict
from tests.support.world import START, new_id
from tests.timers.running.late import HOUR, MS
from timers.days import split
from timers.model import RunningTimer, Source, TimeEntry, WorkItem
from timers.running import rules
from timers.running.rules import MAX_AGE, MAX_SKEW, OverlapsEntry


LIMIT_MS = 12 * 3_600_000
ITEM = WorkItem(1, 1, "contoso", "Website", 7)
offsets = st.integers(-30 * 3_600_000, 30 * 3_600_000)
lengths = st.integers(0, 24 * 3_600_000)


def entry(start_ms: int, length_ms: int, *, inferred: bool = True, source: Source = Source.TIMER) -> TimeEntry:
    started_at = START + start_ms * MS
    stopped_at = started_at + length_ms * MS
    zone = "Europe/Berlin"
    return TimeEntry(
        id=uuid.UUID(new_id()),
        user_id=1,
        work_item=ITEM,
        started_at=started_at,
        stopped_at=stopped_at,
        elapsed_ms=length_ms,
        existing_hours=Decimal("1.5"),
        note="why",
        source=source,
        needs_review=False,
        time_zone=zone,
        end_inferred=inferred,
        version=3,
        days=split(started_at, stopped_at, ZoneInfo(zone)),
    )


def running(start_ms: int) -> RunningTimer:
    return RunningTimer(uuid.UUID(new_id()), 1, ITEM, START + start_ms * MS, None, None)


@given(offset=offsets)
def test_an_instant_is_accepted_from_a_day_ago_to_two_minutes_ahead_which_are_now(offset):
    instant = START + offset * MS
    if START - MAX_AGE <= instant <= START + MAX_SKEW:
        assert rules.checked_instant(instant, START, field="/startedAt", advice="") == min(instant, START)
    else:
        with pytest.raises(InvalidRequest) as refused:
            rules.checked_instant(instant, START, field="/startedAt", advice="")

        assert refused.value.code == ("in_the_future" if instant > START else "too_long_ago")


@given(length=lengths, inside=st.floats(0, 1, exclude_max=True), inferred=st.booleans())
def test_a_start_inside_an_entry_ends_it_there_unless_its_end_is_explicit(length, inside, inferred):
    old = entry(0, length + 1, inferred=inferred)
    at = old.started_at + int(inside * length) * MS
    if not inferred or at == old.started_at:
        with pytest.raises(OverlapsEntry) as refused:
            rules.shorten(at, [old], limit_ms=LIMIT_MS)

        assert (refused.value.entry, refused.value.is_final) == (old, False)
    else:
        [(before, new)] = rules.shorten(at, [old], limit_ms=LIMIT_MS)

        assert (before, new.started_at, new.stopped_at, new.version) == (old, old.started_at, at, 4)
        assert new.elapsed_ms == sum(piece.elapsed_ms for piece in new.days) < old.elapsed_ms
        assert new.end_inferred
        assert new.needs_review == (new.elapsed_ms > LIMIT_MS)


@given(first=offsets, other=st.one_of(st.none(), offsets), start=offsets)
@example(first=0, other=None, start=0)
def test_the_earlier_of_the_running_timer_and_the_next_entry_is_first(first, other, start):
    timer = running(first)
    following = None if other is None or other <= start else entry(other, 1)
    first_after = rules.first_after(START + start * MS, timer, following)
    later = [each.started_at for each in (timer, following) if each and each.started_at > START + start * MS]

    assert (first_after.started_at if first_after else None) == min(later, default=None)


@given(length=lengths, offset=st.integers(-3 * 60_000, 26 * 3_600_000), following=st.one_of(st.none(), lengths))
@pytest.mark.parametrize("source", [Source.TIMER, Source.AUTO_STOPPED])
@pytest.mark.parametrize("named", [True, False])
def test_an_explicit_end_is_never_before_the_start_nor_in_the_next_timer(source, named, length, offset, following):
    old = entry(0, length, source=source)
    after = None if following is None else running(length + following)
    at = old.started_at + offset * MS
    latest: dt.datetime | None = old.stopped_at
    if source is Source.AUTO_STOPPED:
        latest = None if after is None else after.started_at
    too_early = at < old.started_at and not (named and old.started_at - at <= MAX_SKEW)
    if too_early or (latest is not None and at > latest):
        with pytest.raises(RetryableConflict):
            rules.end_of_entry(old, at, is_named=named, following=after)
    else:
        end = rules.end_of_entry(old, at, is_named=named, following=after)

        assert end == max(at, old.started_at)


def test_an_end_over_the_limit_needs_a_review_and_one_at_the_limit_does_not():
    old = entry(0, 3_600_000)
    over = [
        rules.with_end(old, START + 12 * HOUR + extra * MS, end_inferred=False, limit_ms=LIMIT_MS) for extra in (0, 1)
    ]

    assert [each.needs_review for each in over] == [False, True]
    assert not over[0].end_inferred
