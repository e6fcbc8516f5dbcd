"""Random changes of days: each sum is exact, and all other time stays as it is."""

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.calendar import first_instant
from tests.support.budget import tries
from tests.support.world import WORK_ITEM


HOUR = 3_600_000
DAYS = [dt.date(2026, 10, 24), dt.date(2026, 10, 25), dt.date(2026, 10, 26)]  # the second has 25 hours in Berlin
ITEMS = [42, 7]
ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati"]
lengths = st.one_of(st.integers(0, 3), st.integers(0, 8 * HOUR))
entered = st.tuples(st.sampled_from(ITEMS), st.integers(0, 60 * HOUR), st.integers(1, 6 * HOUR))
changes = st.tuples(st.sampled_from(ITEMS), st.sampled_from(DAYS), lengths, st.booleans())
durations = st.tuples(st.sampled_from(ITEMS), st.sampled_from(DAYS), st.integers(1, 8 * HOUR))


def sums(person):
    """The milliseconds of each item and day."""
    cells = {(item, day.isoformat()): 0 for item in ITEMS for day in DAYS}
    for entry in person.entries():
        for day in entry["days"]:
            cell = entry["workItemId"], day["date"]
            cells[cell] = cells.get(cell, 0) + day["elapsedMs"]
    return cells


def overlaps(person):
    return {frozenset((entry["id"], other)) for entry in person.entries() for other in entry.get("overlapsWith", ())}


@settings(max_examples=tries(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(ZONES),
    earlier=st.lists(entered, max_size=5),
    steps=st.lists(st.one_of(changes, durations), min_size=1, max_size=6),
)
def test_setting_a_day_changes_only_that_sum_and_makes_no_overlap(world, clock, zone, earlier, steps):
    clock.set("2026-11-23T09:00:00Z")
    ada = world.tenant(zone)
    for item, start_ms, length_ms in earlier:
        started_at = first_instant(DAYS[0], ZoneInfo(zone)) + dt.timedelta(milliseconds=start_ms)
        stopped_at = started_at + dt.timedelta(milliseconds=length_ms)
        assert ada.enter(started_at.isoformat(), stopped_at.isoformat(), workItemId=item).status == 201
    ada.start(42)
    for step in steps:
        item, day, elapsed_ms, *has_reason = step
        cell, before, overlapping = (item, day.isoformat()), sums(ada), overlaps(ada)
        if has_reason:
            body = {"project": "Website", "elapsedMs": elapsed_ms, "expectedMs": before[cell]}
            reason = {"reason": "it was otherwise"} if has_reason[0] or elapsed_ms < before[cell] else {}
            path = f"days/{day}/work-items/contoso/{item}"
            answer = ada.http.send("PUT", path, {**body, **reason}, token=ada.token)
            expected = before | {cell: elapsed_ms}
        else:
            entry = {**WORK_ITEM, "workItemId": item, "date": day.isoformat(), "elapsedMs": elapsed_ms}
            answer = ada.post("entries", entry)
            expected = before | {cell: before[cell] + elapsed_ms}
        if answer.status == 409:
            assert answer.code in {"no_free_time", "entry_of_several_days"}
            expected = before

        assert answer.status in {200, 201, 409}, answer.raw
        assert sums(ada) == expected
        assert overlaps(ada) <= overlapping
    assert ada.running().body["startedAt"] == "2026-11-23T09:00:00.000Z"
