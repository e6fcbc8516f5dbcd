"""Whatever people call themselves and write, and in whatever order they are renamed, restricted and erased."""

import datetime as dt

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from shared.http.idempotency import KEPT
from tests.support.budget import tries
from tests.support.exports import export
from tests.support.hostile_people import DAYS_OF_AN_ERASURE, TEXT, WHO, HostilePeople
from tests.support.world import new_id


RIGHTS = st.sampled_from(["restricted", "objected", "consentWithdrawn"])


class Renaming(HostilePeople):
    @rule(who=WHO, text=TEXT)
    def somebody_renames_themselves(self, who, text):
        person, name = self.again(who), self.texts[text]
        with self.harming_nobody(person):
            assert person.patch("me", {"displayName": name}).status in {200, 400}

    @rule(who=WHO, colleague=WHO)
    def somebody_takes_the_name_of_a_colleague(self, who, colleague):
        person = self.again(who)
        with self.harming_nobody(person):
            assert person.patch("me", {"displayName": self.people[colleague].name}).status == 200

    @rule(who=WHO, text=TEXT)
    def an_admin_renames_somebody(self, who, text):
        self.again(who)
        name = self.texts[text]
        whom, admin = self.people[who], self.again(1 if who else 0)
        wanted = next(id_ for id_, row in self.ids().items() if row == self.row_of(whom))
        version = admin.get(f"users/{wanted}").headers.get("ETag", '"0"').strip('"')
        with self.harming_nobody(whom):
            answer = admin.patch(f"users/{wanted}", {"displayName": name}, version=version)
            assert answer.status in {200, 400, 403}, answer.raw


class Tracking(HostilePeople):
    """Notes and reasons: hostile text, or a mention of somebody."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.answered: dict[int, tuple[dict[str, str], dt.datetime]] = {}

    def text(self, text, about):
        if about is None:
            return self.texts[text]
        return f"with {self.people[about].name} or {self.people[about].email} today"

    @rule(who=WHO, note=TEXT, about=st.none() | WHO)
    def somebody_enters_time(self, who, note, about):
        person, key = self.again(who), new_id()
        day = f"{self.clock():%Y-%m}-01T0"
        sent = {"started_at": f"{day}1:00:00Z", "stopped_at": f"{day}2:00:00Z", "note": self.text(note, about)}
        entered = person.enter(**sent, key=key)
        assert entered.status in {201, 400, 403}, entered.raw
        if entered.status == 201:
            self.answered[self.row_of(person)] = ({**sent, "key": key}, self.clock())

    @rule(who=WHO)
    def somebody_repeats_a_request(self, who):
        person = self.again(who)
        sent, at = self.answered.get(self.row_of(person), ({}, self.clock() - KEPT))
        if self.clock() - at >= KEPT:
            return
        before = self.rows()
        repeated = person.enter(**sent)
        assert repeated.status in {201, 204}, repeated.raw
        assert repeated.headers["Idempotent-Replayed"] == "true"
        assert self.rows() == before

    @rule(who=WHO, note=TEXT, reason=TEXT, about=st.none() | WHO)
    def somebody_corrects_time(self, who, note, reason, about):
        person = self.again(who)
        for entry in person.entries()[:1]:
            body = {"note": self.texts[note], "reason": self.text(reason, about)}
            corrected = person.patch(f"entries/{entry['id']}", body, version=entry["version"])
            assert corrected.status in {200, 400, 404}, corrected.raw

    @rule(who=WHO, note=TEXT)
    def somebody_starts_a_timer(self, who, note):
        assert self.again(who).start(7, note=self.texts[note], switch=True).status in {200, 201, 400, 403, 409}
        self.clock.tick(minutes=7)


class Privacy(HostilePeople):
    @rule(who=WHO, right=RIGHTS, is_wanted=st.booleans())
    def somebody_stops_processing(self, who, right, is_wanted):
        person = self.again(who)
        with self.harming_nobody(person):
            assert person.patch("privacy", {right: is_wanted}).status == 200

    @rule(who=WHO, whole=st.booleans())
    def somebody_takes_an_export(self, who, whole):
        person = self.again(who)
        with self.harming_nobody(person):
            scope = {"scope": "tenant"} if whole else {}
            assert export(person, **scope).status == (200 if not whole or who == 0 else 403)

    @rule(who=WHO)
    def somebody_asks_for_their_erasure(self, who):
        person = self.again(who)
        with self.harming_nobody(person):
            asked = person.post("privacy/erasure", {"confirm": person.email})
            assert asked.status in ({409} if who == 0 else {200, 201}), asked.raw

    @rule(some=st.integers(0, 7), stays=st.booleans())
    def ada_has_mentions_stay(self, some, stays):
        ada = self.again(0)
        for request in ada.get("privacy/erasure").body["items"]:
            path = f"privacy/erasure/{request['id']}/mentions"
            if request["state"] != "scheduled" or not (found := ada.get(path).body["items"]):
                continue
            with self.harming_nobody(ada):
                chosen = {"id": found[some % len(found)]["id"], "stays": stays}
                assert ada.patch(path, {"items": [chosen]}).status == 200

    @rule(who=WHO.filter(bool))
    def somebody_is_erased(self, who):
        self.somebody_asks_for_their_erasure(who)
        self.days_pass_and_erasures_are_carried_out()

    @rule()
    @precondition(lambda self: hasattr(self, "people"))
    def days_pass_and_erasures_are_carried_out(self):
        self.clock.tick(days=DAYS_OF_AN_ERASURE)
        self.carry_out()


class Machine(Renaming, Tracking, Privacy):
    pass


@pytest.mark.timeout(300)
def test_nobody_harms_what_others_have_on_record(app, world, clock, engine):
    """Every example has an organization of its own in the same database."""
    run_state_machine_as_test(
        lambda: Machine(app, world, clock, engine),  # type: ignore[arg-type]  # a factory will do
        settings=settings(
            max_examples=tries(10),
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        ),
    )
