"""Random actions of people: entries, days, log and reports equal the reference model after each step."""

import datetime as dt

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.budget import tries
from tests.timers.running.reference import Reference
from timers.forgotten.jobs import stop_all_forgotten


ZONES = ["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "America/Havana"]
# Some minutes before a clock change, a month's end or a year's end in one of ZONES.
BEGINNINGS = [
    "2026-11-01T03:40:00+00:00",
    "2026-10-03T14:20:00+00:00",
    "2026-12-31T22:50:00.500+00:00",
    "2027-03-14T06:30:00+00:00",
    "2028-02-29T18:00:00+00:00",
]
minutes = st.integers(1, 20 * 60)
items = st.integers(1, 3)
who = st.integers(0, 1)


def instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def every(person, path):
    """All items of a list, page after page."""
    items, page = [], person.get(path, pageSize="7").body
    while True:
        items += page["items"]
        if "nextLink" not in page:
            return items
        page = person.get(page["nextLink"]).body


class Machine(RuleBasedStateMachine):
    def __init__(self, app, world, clock) -> None:
        super().__init__()
        self.app, self.world, self.clock = app, world, clock

    @initialize(zone=st.sampled_from(ZONES), beginning=st.sampled_from(BEGINNINGS))
    def a_tenant_of_two(self, zone, beginning):
        self.clock.set(beginning)
        admin = self.world.tenant(zone)
        self.people = [admin, self.world.member(admin)]
        self.ids = [person.get("me").body["id"] for person in self.people]
        self.reference = Reference(zone)

    @rule(person=who, item=items, switch=st.booleans())
    def start(self, person, item, switch):
        answer, user = self.people[person].start(item, switch=switch), self.ids[person]
        running = self.reference.running.get(user)
        if running is not None and running.item == item:
            assert (answer.status, answer.body["id"]) == (200, running.id)
        elif running is not None and not switch:
            assert (answer.status, answer.code) == (409, "timer_already_running")
        else:
            assert answer.status == 201, answer.raw
            if running is not None:
                self.reference.stop(user, self.clock(), switched=True)
            self.reference.start(user, answer.body["id"], item, self.clock())

    @rule(person=who, note=st.sampled_from([None, "reviewed"]))
    def stop(self, person, note):
        body, user = {} if note is None else {"note": note}, self.ids[person]
        answer = self.people[person].post("timers/stop", body)
        if user in self.reference.running:
            assert answer.status == 200
            self.reference.note_at_stop(user, note)
            self.reference.stop(user, self.clock())
        else:
            assert (answer.status, answer.code) == (409, "no_running_timer")

    @rule(person=who)
    def discard(self, person):
        assert self.people[person].delete("timers/running").status == 204
        if self.ids[person] in self.reference.running:
            self.reference.discard(self.ids[person])

    @rule(person=who, ago=st.integers(0, 26 * 60), named=st.booleans())
    def move_start(self, person, ago, named):
        user, at = self.ids[person], self.clock() - ago * dt.timedelta(minutes=1)
        running = self.reference.running.get(user)
        body = {"startedAt": at.isoformat(), **({"timerId": running.id} if named and running else {})}
        answer = self.people[person].patch("timers/running", body)
        if running is None:
            assert (answer.status, answer.code) == (409, "no_running_timer")
        elif ago > 24 * 60:
            assert (answer.status, answer.code) == (400, "too_long_ago")
        elif self.reference.move_start(user, at):
            assert (answer.status, instant(answer.body["startedAt"])) == (200, at), answer.raw
        else:
            assert (answer.status, answer.code) == (409, "inside_another_entry")

    @rule(person=who, note=st.sampled_from([None, "in review", "done"]))
    def change_note(self, person, note):
        answer = self.people[person].patch("timers/running", {"note": note})
        if self.ids[person] in self.reference.running:
            assert (answer.status, answer.body.get("note")) == (200, note)
            self.reference.change_note(self.ids[person], note)
        else:
            assert (answer.status, answer.code) == (409, "no_running_timer")

    @rule(person=who, item=items, ago=minutes, length=minutes)
    def enter(self, person, item, ago, length):
        stopped_at = self.clock() - ago * dt.timedelta(minutes=1)
        started_at = stopped_at - length * dt.timedelta(minutes=1, milliseconds=1)
        answer = self.people[person].enter(started_at.isoformat(), stopped_at.isoformat(), workItemId=item)
        assert answer.status == 201, answer.raw
        self.reference.enter(self.ids[person], answer.body["id"], item, started_at, stopped_at)

    @precondition(lambda self: self.reference.entries)
    @rule(choice=st.randoms(use_true_random=False), shift=minutes, length=minutes, item=items, by_admin=st.booleans())
    def correct(self, choice, shift, length, item, by_admin):
        entry = choice.choice(sorted(self.reference.entries.values(), key=lambda each: each.id))
        stopped_at = min(self.clock(), entry.stopped_at) - shift * dt.timedelta(minutes=1)
        started_at = stopped_at - length * dt.timedelta(minutes=1)
        changes = {"startedAt": started_at.isoformat(), "stoppedAt": stopped_at.isoformat(), "workItemId": item}
        answer = self._patch(entry, {**changes, "reason": "it was otherwise"}, by_admin=by_admin)
        assert answer.status == 200, answer.raw
        self.reference.correct(entry.id, started_at=started_at, stopped_at=stopped_at, item=item)

    @precondition(lambda self: self.reference.entries)
    @rule(choice=st.randoms(use_true_random=False))
    def confirm(self, choice):
        entry = choice.choice(sorted(self.reference.entries.values(), key=lambda each: each.id))
        answer = self._patch(entry, {"needsReview": False})
        assert answer.status == 200, answer.raw
        if entry.needs_review:
            self.reference.confirm(entry.id)

    @precondition(lambda self: self.reference.entries)
    @rule(choice=st.randoms(use_true_random=False), by_admin=st.booleans())
    def delete(self, choice, by_admin):
        entry = choice.choice(sorted(self.reference.entries.values(), key=lambda each: each.id))
        person = self._whose(entry, by_admin=by_admin)
        assert person.delete(f"entries/{entry.id}", version=entry.version, reason="by mistake").status == 204
        self.reference.delete(entry.id)

    @precondition(lambda self: self.reference.entries)
    @rule(choice=st.randoms(use_true_random=False))
    def correct_what_was_changed_meanwhile(self, choice):
        entry = choice.choice(sorted(self.reference.entries.values(), key=lambda each: each.id))
        stale = {"workItemId": 9, "reason": "never read"}
        assert self._whose(entry).patch(f"entries/{entry.id}", stale, version=entry.version + 1).status == 412

    @rule()
    def stop_forgotten(self):
        stop_all_forgotten(self.app)
        self.reference.stop_forgotten(self.clock())

    @rule(zone=st.sampled_from(ZONES))
    def change_zone(self, zone):
        admin = self.people[0]
        answer = admin.http.send("PATCH", "tenant", {"timeZone": zone}, token=admin.token, headers={"If-Match": "*"})
        assert answer.status == 200, answer.raw
        self.reference.zone = zone

    @rule(passed=minutes)
    def time_passes(self, passed):
        self.clock.tick(minutes=passed, milliseconds=passed)

    @invariant()
    def running_timers_agree(self):
        listed = {timer["user"]["id"]: timer for timer in self.people[0].get("timers").body["items"]}

        assert {
            user: (timer["id"], timer["workItemId"], instant(timer["startedAt"])) for user, timer in listed.items()
        } == {user: (timer.id, timer.item, timer.started_at) for user, timer in self.reference.running.items()}

    @invariant()
    def entries_and_days_agree(self):
        listed = {each["id"]: each for each in every(self.people[0], "entries")}

        assert listed.keys() == self.reference.entries.keys()
        for entry in self.reference.entries.values():
            shown = listed[entry.id]
            assert (shown["userId"], shown["workItemId"], shown["source"]) == (entry.user, entry.item, entry.source)
            assert (instant(shown["startedAt"]), instant(shown["stoppedAt"])) == (entry.started_at, entry.stopped_at)
            assert (shown["elapsedMs"], shown["version"]) == (entry.elapsed_ms, entry.version)
            assert (shown["needsReview"], shown.get("note")) == (entry.needs_review, entry.note)
            assert {dt.date.fromisoformat(day["date"]): day["elapsedMs"] for day in shown["days"]} == entry.days
            overlaps = {
                other.id
                for other in self.reference.entries.values()
                if other is not entry
                and other.user == entry.user
                and other.started_at < entry.stopped_at
                and other.stopped_at > entry.started_at
            }
            assert set(shown.get("overlapsWith", [])) == overlaps

    @invariant()
    def the_log_agrees(self):
        rows = every(self.people[0], "timer-log")

        assert [
            (row["userId"], row["timerId"], row["event"], row.get("entryVersion", 0)) for row in reversed(rows)
        ] == (self.reference.log)

    @invariant()
    def reports_agree(self):
        own, everyone = self.people[1], self.people[0]
        first = min((entry.started_at for entry in self.reference.entries.values()), default=self.clock())
        span = {
            "from": f"{(first - dt.timedelta(days=1)).date()}",
            "to": f"{(self.clock() + dt.timedelta(days=2)).date()}",
        }
        for person, user in ((own, self.ids[1]), (everyone, None)):
            report = person.get("reports/summary", groupBy="workItem", **span).body
            by_item, by_day = self.reference.totals("workItem", user), self.reference.totals("day", user)

            assert {row["workItem"]["id"]: row["elapsedMs"] for row in report["rows"]} == by_item
            assert {day["date"]: day["elapsedMs"] for day in report["days"]} == by_day
            assert report["totalMs"] == sum(by_item.values()) == sum(by_day.values())
        people = everyone.get("reports/summary", groupBy="user", **span).body
        assert {row["user"]["id"]: row["elapsedMs"] for row in people["rows"]} == self.reference.totals("user")

    def _whose(self, entry, *, by_admin=False):
        return self.people[0] if by_admin else self.people[self.ids.index(entry.user)]

    def _patch(self, entry, body, *, by_admin=False):
        return self._whose(entry, by_admin=by_admin).patch(f"entries/{entry.id}", body, version=entry.version)


def test_all_data_agrees_with_the_reference_after_every_step(app, world, clock):
    run_state_machine_as_test(
        lambda: Machine(app, world, clock),  # type: ignore[arg-type]  # a factory will do
        settings=settings(
            max_examples=tries(12), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
