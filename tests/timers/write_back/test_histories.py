"""Random histories of entries, settings, colleagues and faults: at rest Completed Work equals the entries."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devcloud.emulators.azure_devops.fields import COMPLETED, HISTORY, REMAINING
from tests.support.budget import tries
from tests.timers.write_back.write_backs import (
    BUG,
    STORY,
    TASK,
    add_entry,
    change,
    correct_entry,
    delete_entry,
    retry,
    send,
)


MISSING = 4711
ITEMS = (BUG, TASK, STORY, MISSING)
JSON = {"Content-Type": "application/json"}
FAULTS = [
    {"lost_answer": True},
    {"late_landing": 0.05},
    {"cut": True},
    {"status": 500},
    {"status": 502, "lost_answer": True},
    {"status": 203, "body": "<html>Sign In</html>"},
    {"status": 401},
    {"status": 403, "body": "{}", "headers": JSON},
    {"status": 412, "body": "{}", "headers": JSON},
    {"status": 429, "body": "{}", "headers": {**JSON, "Retry-After": "0"}},
    {"status": 400, "body": '{"message": "TF401320: Rule Error for field State."}', "headers": JSON},
]
ENDPOINTS = ["update", "work_item", "updates"]
STEPS = st.one_of(
    st.tuples(st.just("enter"), st.sampled_from(ITEMS), st.integers(1, 300), st.integers(0, 2)),
    st.tuples(st.just("enter"), st.sampled_from((BUG, TASK)), st.integers(1, 300), st.integers(0, 2)),
    st.tuples(st.just("correct"), st.integers(0, 9), st.integers(1, 300), st.integers(0, 2)),
    st.tuples(st.just("move"), st.integers(0, 9), st.sampled_from(ITEMS), st.integers(0, 2)),
    st.tuples(st.just("delete"), st.integers(0, 9), st.just(0), st.integers(0, 2)),
    st.tuples(st.just("ask"), st.integers(0, 9), st.just(0), st.integers(1, 2)),
    st.tuples(st.just("switch"), st.booleans(), st.just(0), st.just(0)),
    st.tuples(st.just("colleague"), st.sampled_from((BUG, TASK)), st.integers(0, 40), st.just(0)),
    st.tuples(st.just("close"), st.sampled_from((BUG, TASK)), st.just(0), st.just(0)),
    st.tuples(st.just("set_fault"), st.sampled_from(ENDPOINTS), st.sampled_from(FAULTS), st.integers(1, 3)),
)


@dataclass
class Past:
    """One tenant's history, and the last response of each entry."""

    ada: Any
    azure_devops: Any
    tokens: tuple[str | None, ...]
    is_on: bool = True
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)  # the last response
    counted: set[str] = field(default_factory=set)
    deleted: list[str] = field(default_factory=list)

    def enter(self, item, minutes, token):
        stop = f"{8 + minutes // 60:02}:{minutes % 60:02}"
        self._keep(add_entry(self.ada, self._token(token), "08:00", stop, item=item), 201)
        if self.is_on:
            self.counted.add(list(self.entries)[-1])

    def correct(self, which, minutes, token):
        if entry := self._one(which):
            stop = f"2026-11-20T{8 + minutes // 60:02}:{minutes % 60:02}:00Z"
            self._keep(correct_entry(self.ada, entry, self._token(token), stoppedAt=stop), 200)

    def move(self, which, item, token):
        if entry := self._one(which):
            self._keep(correct_entry(self.ada, entry, self._token(token), workItemId=item), 200)

    def delete(self, which, _two, token):
        if entry := self._one(which):
            assert delete_entry(self.ada, entry, self._token(token)).status == 204
            del self.entries[entry["id"]]
            self.deleted.append(entry["id"])

    def ask(self, which, _two, token):
        entry = self._one(which)
        if entry is None:
            return
        retried = retry(self.ada, entry["id"], self._token(token))
        assert retried.status == (200 if self.is_on else 409), retried.raw
        if self.is_on:
            self.counted.add(entry["id"])

    def switch(self, on, *_):
        change(self.ada, writeBack=on)
        self.is_on = on

    def colleague(self, item, quarters, _token):
        self.azure_devops.edit(item, hours=quarters / 4)

    def close(self, item, _two, _token):
        self.azure_devops.edit(item, State="Closed")

    def set_fault(self, endpoint, fault, times):
        self.azure_devops.set_fault(endpoint, times=times, **fault)

    def come_to_rest(self):
        """Ends all faults, and requests the write-back of every work item and every entry that counts."""
        self.azure_devops.clear_faults()
        self.switch(on=True)
        for item in (BUG, TASK, STORY):
            for _ in range(2):
                retried = send(self.ada, "POST", f"work-items/contoso/{item}/write-back", self.tokens[1])
                assert retried.status == 200, retried.raw
        for entry in self.counted & self.entries.keys():
            assert retry(self.ada, entry, self.tokens[1]).status == 200
        for entry in self.deleted:
            assert retry(self.ada, entry, self.tokens[1]).status == (204 if entry in self.counted else 404)

    def hours(self, item):
        """The sum of the entries that count, rounded once."""
        mine = [each for id_, each in self.entries.items() if id_ in self.counted and each["workItemId"] == item]
        return (Decimal(sum(each["elapsedMs"] for each in mine)) / 3_600_000).quantize(Decimal("0.0001"))

    def _keep(self, answer, status):
        assert answer.status == status, answer.raw
        self.entries[answer.body["id"]] = answer.body

    def _one(self, which):
        return list(self.entries.values())[which % len(self.entries)] if self.entries else None

    def _token(self, number):
        return self.tokens[number] or ""


def ours_and_theirs(azure_devops, item):
    """The changes of Completed Work by us and by others, from the item's history; it never fell below 0."""
    ours = theirs = at = Decimal(0)
    marks = []
    for update in azure_devops.updates(item):
        hours = update["fields"].get(COMPLETED, {})
        moved = Decimal(str(hours.get("newValue", 0))) - Decimal(str(hours.get("oldValue", 0))) if hours else Decimal(0)
        at += moved
        assert at >= 0
        if "TimeTracker" in (line := update["fields"].get(HISTORY, {}).get("newValue", "")):
            ours += moved
            marks.append(line.partition("(")[2])
            assert ours >= 0, "hours of others were taken"
        else:
            theirs += moved
    assert len(set(marks)) == len(marks), "one write landed twice"
    return ours, theirs


@settings(
    max_examples=tries(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(steps=st.lists(STEPS, min_size=4, max_size=14), lowers=st.booleans())
def test_at_rest_completed_work_is_the_sum_of_entries_or_the_short_hours_are_shown(world, azure_devops, steps, lowers):
    azure_devops.reset()
    azure_devops.set(BUG, {REMAINING: 5})
    tokens = (None, azure_devops.token(), azure_devops.token(read_only=["Website"]))
    past = Past(world.tenant(), azure_devops, tokens)
    change(past.ada, writeBack=True, lowerRemainingWork=lowers)
    for kind, *more in steps:
        getattr(past, kind)(*more)
    past.come_to_rest()

    for item in (BUG, TASK):
        page = send(past.ada, "GET", f"work-items/contoso/{item}/write-back", tokens[1]).body
        ours, theirs = ours_and_theirs(azure_devops, item)
        missing = Decimal(str(page.get("missingHours", 0)))
        assert Decimal(str(page["targetHours"])) == past.hours(item)
        assert Decimal(str(page["writtenHours"])) == ours == past.hours(item) + missing
        assert page["state"] == ("short" if missing else "done"), page
        assert (azure_devops.completed(item) or 0) == pytest.approx(float(ours + theirs), abs=1e-9)
    for entry in past.ada.entries():
        where = entry["workItemId"]
        expected = {STORY: {"noField"}, MISSING: {"failed", "pending"}}.get(where, {"done", "short"})
        assert entry.get("writeBack") in (expected if entry["id"] in past.counted else {None}), entry
    assert azure_devops.completed(STORY) is None
    assert (azure_devops.field(BUG, REMAINING) or 0) >= 0
