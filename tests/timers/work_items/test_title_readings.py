"""Random readings, refusals, days and restrictions: each person sees the titles of a reference model."""

import datetime as dt

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.support import budget
from tests.timers.work_items.test_titles import report
from tests.timers.work_items.test_work_items import look, refresh


ITEMS = {42: "Website", 57: "Website", 66: "Billing", 71: "Billing"}
NAMES = ("ada", "ben", "chloe")
person = st.sampled_from(NAMES)
numbers = st.lists(st.sampled_from(sorted(ITEMS)), min_size=1, max_size=4, unique=True)
hidden_projects = st.sampled_from([(), ("Billing",), ("Website",), ("Billing", "Website")])


class Readings(RuleBasedStateMachine):
    """`model` has the day of each valid reading, by person and item; `last_read` the last read of an item."""

    def __init__(self, world, azure_devops) -> None:
        super().__init__()
        self.world, self.azure_devops = world, azure_devops
        self.model: dict[tuple[str, int], dt.date] = {}
        self.last_read: dict[int, dt.datetime] = {}
        self.stopped: set[str] = set()

    @initialize()
    def begin(self):
        ada = self.world.tenant()
        self.people = {"ada": ada, "ben": self.world.member(ada), "chloe": self.world.member(ada)}
        for number, project in ITEMS.items():
            for each in self.people.values():
                each.enter(workItemId=number, project=project)

    @property
    def today(self):
        return self.world.clock().date()

    def person_of(self, name):
        return self.world.renew_token(self.people[name])

    def reads(self, name, read, hidden):
        """A read of these from Azure DevOps, which shows those outside hidden projects."""
        for number in read:
            if ITEMS[number] in hidden:
                self.model.pop((name, number), None)
            else:
                self.last_read[number] = self.world.clock()
                if name not in self.stopped:
                    self.model[name, number] = self.today

    def shown_to(self, name):
        since = self.today - dt.timedelta(days=30)
        return {number for (who, number), day in self.model.items() if who == name and day >= since}

    @rule(name=person, read=numbers, hidden=hidden_projects)
    def refreshes(self, name, read, hidden):
        answer = refresh(self.person_of(name), read, self.azure_devops.token(hidden=list(hidden)))
        self.reads(name, read, hidden)

        assert {item["id"] for item in answer.body["items"]} == {n for n in read if ITEMS[n] not in hidden}

    @rule(name=person, hidden=hidden_projects)
    def takes_a_report(self, name, hidden):
        """Reads the items that are not shown yet, and those that nobody, or not the reader, has read for a day."""
        since = self.world.clock() - dt.timedelta(days=1)
        fresh = {n for n in self.shown_to(name) if self.last_read[n] > since and self.model[name, n] >= since.date()}
        answer = report(self.person_of(name), self.azure_devops.token(hidden=list(hidden)))
        status = {row["workItem"]["id"]: row["workItem"]["titleStatus"] for row in answer.body["rows"]}
        read = status.keys() - fresh
        self.reads(name, read, hidden)

        assert {number for number, each in status.items() if each == "hidden"} == {
            number for number in read if ITEMS[number] in hidden
        }
        assert {number for number, each in status.items() if each == "shown"} == self.shown_to(name) & status.keys()

    @rule(name=person)
    def is_refused_as_a_whole(self, name):
        self.azure_devops.set_fault("batch", status=401)
        refresh(self.person_of(name), [42, 66], self.azure_devops.token())
        self.azure_devops.clear_faults()

    @rule(days=st.sampled_from([0, 1, 2, 15, 29, 30, 31]))
    def time_passes(self, days):
        self.world.clock.tick(days=days)

    @rule(name=person)
    def stops_processing_or_goes_on(self, name):
        self.person_of(name).patch("privacy", {"objected": name not in self.stopped})
        self.stopped ^= {name}

    @invariant()
    def everybody_is_shown_what_they_have_read(self):
        for name in getattr(self, "people", ()):
            someone, shown = self.person_of(name), self.shown_to(name)
            rows = report(someone).body["rows"]
            own = {row["workItem"]["id"] for row in rows}

            assert {row["workItem"]["id"] for row in rows if "title" in row["workItem"]} == shown & own
            assert {n for n in ITEMS if look(someone, n).status == 200} == shown


def test_each_person_is_shown_the_titles_of_the_model(world, azure_devops):
    chosen = settings(
        max_examples=budget.tries(6), stateful_step_count=12, suppress_health_check=list(HealthCheck), deadline=None
    )
    run_state_machine_as_test(lambda: Readings(world, azure_devops), settings=chosen)  # type: ignore[arg-type]
