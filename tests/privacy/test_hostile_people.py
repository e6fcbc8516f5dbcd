"""Hostile names and texts, with invitations, merges, restrictions and erasures in any order."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from shared.http.idempotency import KEY_LIFETIME
from shared.restore import store
from tenants.invitations.jobs import end_all_invitations
from tests.support import installations
from tests.support.budget import tries
from tests.support.exports import export
from tests.support.hostile import ORGANIZATIONS, SLUGS
from tests.support.hostile_people import ADDRESS, ERASURE_DAYS, TEXT, WHO, HostilePeople
from tests.support.world import new_id


OFFERS = st.tuples(st.integers(0, 1), st.sampled_from(["user", "admin"]))  # inviter and role
SOME = st.integers(0, 7)
RIGHTS = st.sampled_from(["restricted", "objected", "consentWithdrawn"])


class Renaming(HostilePeople):
    @rule(who=WHO, text=TEXT)
    def somebody_renames_themselves(self, who, text):
        person, name = self.renew_token(who), self.texts[text]
        with self.changing_own_rows(person):
            assert person.patch("me", {"displayName": name}).status in {200, 400}

    @rule(who=WHO, colleague=WHO)
    def somebody_takes_the_name_of_a_colleague(self, who, colleague):
        person = self.renew_token(who)
        with self.changing_own_rows(person):
            assert person.patch("me", {"displayName": self.people[colleague].name}).status == 200

    @rule(who=WHO, text=TEXT)
    def an_admin_renames_somebody(self, who, text):
        self.renew_token(who)
        name = self.texts[text]
        whom, admin = self.people[who], self.renew_token(1 if who else 0)
        wanted = self.id_of(whom)
        version = admin.get(f"users/{wanted}").headers.get("ETag", '"0"').strip('"')
        with self.changing_own_rows(whom):
            answer = admin.patch(f"users/{wanted}", {"displayName": name}, version=version)
            assert answer.status in {200, 400, 403}, answer.raw


class Tracking(HostilePeople):
    """A note or reason: hostile text, or a mention of a person."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.answered: dict[int, tuple[dict[str, str], dt.datetime]] = {}

    def text(self, text, about):
        if about is None:
            return self.texts[text]
        return f"with {self.people[about].name} or {self.people[about].email} today"

    @rule(who=WHO, note=TEXT, about=st.none() | WHO, project=st.none() | TEXT)
    def somebody_enters_time(self, who, note, about, project):
        person, key = self.renew_token(who), new_id()
        day = f"{self.clock():%Y-%m}-01T0"
        sent = {"started_at": f"{day}1:00:00Z", "stopped_at": f"{day}2:00:00Z", "note": self.text(note, about)}
        sent |= {"organization": self.organization, "project": "Website" if project is None else self.texts[project]}
        entered = person.enter(**sent, key=key)
        assert entered.status in {201, 400, 403}, entered.raw
        if entered.status == 201:
            self.answered[self.row_of(person)] = ({**sent, "key": key}, self.clock())

    @rule(who=WHO)
    def somebody_repeats_a_request(self, who):
        person = self.renew_token(who)
        sent, at = self.answered.get(self.row_of(person), ({}, self.clock() - KEY_LIFETIME))
        if self.clock() - at >= KEY_LIFETIME:
            return
        before = self.rows()
        repeated = person.enter(**sent)
        assert repeated.status in {201, 204}, repeated.raw
        assert repeated.headers["Idempotent-Replayed"] == "true"
        assert self.rows() == before

    @rule(who=WHO, note=TEXT, reason=TEXT, about=st.none() | WHO)
    def somebody_corrects_time(self, who, note, reason, about):
        person = self.renew_token(who)
        for entry in person.entries()[:1]:
            body = {"note": self.texts[note], "reason": self.text(reason, about)}
            corrected = person.patch(f"entries/{entry['id']}", body, version=entry["version"])
            assert corrected.status in {200, 400, 404}, corrected.raw

    @rule(who=WHO, note=TEXT, project=TEXT)
    def somebody_starts_a_timer(self, who, note, project):
        place = {"organization": self.organization, "project": self.texts[project]}
        started = self.renew_token(who).start(7, note=self.texts[note], switch=True, **place)
        assert started.status in {200, 201, 400, 403, 409}, started.raw
        self.clock.tick(minutes=7)


class Privacy(HostilePeople):
    @rule(who=WHO, right=RIGHTS, is_wanted=st.booleans())
    def somebody_stops_processing(self, who, right, is_wanted):
        person = self.renew_token(who)
        with self.changing_own_rows(person):
            assert person.patch("privacy", {right: is_wanted}).status == 200

    @rule(who=WHO, whole=st.booleans())
    def somebody_takes_an_export(self, who, whole):
        person = self.renew_token(who)
        with self.changing_own_rows(person):
            scope = {"scope": "tenant"} if whole else {}
            assert export(person, **scope).status == (200 if not whole or who == 0 else 403)

    @rule(who=WHO)
    def somebody_asks_for_their_erasure(self, who):
        person = self.renew_token(who)
        with self.changing_own_rows(person):
            asked = person.post("privacy/erasure", {"confirm": person.get("me").body["email"]})
            assert asked.status in ({409} if who == 0 else {200, 201}), asked.raw

    @rule(some=st.integers(0, 7), stays=st.booleans())
    def ada_has_mentions_stay(self, some, stays):
        ada = self.renew_token(0)
        for request in ada.get("privacy/erasure").body["items"]:
            path = f"privacy/erasure/{request['id']}/mentions"
            if request["state"] != "scheduled" or not (found := ada.get(path).body["items"]):
                continue
            with self.changing_own_rows(ada):
                chosen = {"id": found[some % len(found)]["id"], "stays": stays}
                assert ada.patch(path, {"items": [chosen]}).status == 200

    @rule(who=WHO.filter(bool))
    def somebody_is_erased(self, who):
        self.somebody_asks_for_their_erasure(who)
        self.days_pass_and_erasures_are_carried_out()

    @rule()
    @precondition(lambda self: hasattr(self, "people"))
    def days_pass_and_erasures_are_carried_out(self):
        self.clock.tick(days=ERASURE_DAYS)
        self.run_due_erasures()


class Invitations(HostilePeople):
    @rule(offer=OFFERS, address=ADDRESS, text=TEXT, whose=st.none() | WHO, by_id=st.booleans())
    def an_admin_invites(self, offer, address, text, whose, by_id):
        """With a look-alike or a colleague's address, and sometimes a colleague's object id."""
        by, role = offer
        admin = self.renew_token(by)
        wanted = {"email": self.addresses[address] if whose is None else self.people[whose].email, "role": role}
        wanted |= {"displayName": self.texts[text]} if text else {}
        wanted |= {"objectId": self.people[whose].oid} if whose is not None and by_id else {}
        with self.changing():
            answer = admin.post("users", {"users": [wanted]})
            assert answer.status in {200, 400, 403}, answer.raw

    @rule(some=SOME, note=TEXT, about=st.none() | WHO)
    def ada_enters_time_for_an_invitation(self, some, note, about):
        ada, (id_, _) = self.renew_token(0), self.an_invitation(some)
        note = self.texts[note] if about is None else f"with {self.people[about].email} today"
        with self.changing():
            entered = ada.enter(userId=id_, note=note, organization=self.organization)
            assert entered.status in {201, 400, 403}, entered.raw

    @rule(some=SOME, way=st.sampled_from(["deactivate", "reactivate"]))
    def ada_closes_or_opens_an_invitation(self, some, way):
        ada, (id_, row) = self.renew_token(0), self.an_invitation(some)
        with self.changing(row):
            assert ada.post(f"users/{id_}/{way}").status in {200, 409}

    @rule(who=WHO.filter(bool))
    def ada_confirms_a_role(self, who):
        person, ada = self.renew_token(who), self.renew_token(0)
        with self.changing_own_rows(person):
            before = person.get("me").body["role"]
            assert ada.post(f"users/{self.id_of(person)}/confirm-role").status in {200, 409}
            waiting = self.rows()["users", (self.row_of(person),)]["pending_role"]
            assert (person.get("me").body["role"] == before) or waiting is None

    @rule(some=SOME, who=WHO)
    def ada_merges_an_invitation(self, some, who):
        person, ada = self.renew_token(who), self.renew_token(0)
        id_, row = self.an_invitation(some)
        into = {"into": self.id_of(person)}
        account = self.rows()["users", (self.row_of(person),)]
        if any(account[right] for right in ("restricted_at", "objected_at", "consent_withdrawn_at")):
            with self.changing():
                assert ada.post(f"users/{id_}/merge", into).code == "processing_restricted"
            return
        with self.merging(row, self.row_of(person)):
            assert ada.post(f"users/{id_}/merge", into).status == 200

    @rule(who=WHO, address=ADDRESS)
    def the_directory_gives_somebody_another_address(self, who, address):
        self.renew_token(who)
        self.people[who] = replace(self.people[who], email=self.addresses[address])
        with self.changing_own_rows(self.people[who]):
            self.renew_token(who)

    @rule()
    @precondition(lambda self: hasattr(self, "people"))
    def invitations_end(self):
        self.clock.tick(days=14)
        with self.changing():
            assert end_all_invitations(self.app).failed == 0
        now = self.clock()
        waiting = [row for (table, _), row in self.rows().items() if table == "users" and row["invitation_ends_at"]]
        assert [row for row in waiting if row["invitation_ends_at"] <= now] == []

    def an_invitation(self, some):
        """An open invitation; a new one with time if there is none."""
        if not self.unclaimed():
            invited = self.invite({"email": f"kim+{new_id()[:8]}@{self.domain}"})
            assert self.people[0].enter(userId=invited, organization=self.organization).status in {201, 403}
        return list(self.unclaimed().items())[some % len(self.unclaimed())]


class Settings(HostilePeople):
    @rule(text=TEXT, slug=st.sampled_from(SLUGS), is_name=st.booleans(), of_stranger=st.booleans())
    def ada_changes_the_settings(self, text, slug, is_name, of_stranger):
        ada = self.renew_token(0)
        version = ada.get("tenant").body["version"]
        slug = self.stranger.get("tenant").body["slug"] if of_stranger else slug
        wanted = {"name": self.texts[text]} if is_name else {"slug": slug}
        with self.changing():
            changed = ada.patch("tenant", wanted, version=version)
            assert changed.status in {200, 400, 409}, changed.raw
        assert not (of_stranger and not is_name and changed.status == 200)

    @rule(name=st.sampled_from(ORGANIZATIONS))
    def ada_renames_the_organization(self, name):
        ada = self.renew_token(0)
        [organization] = ada.get("organizations").body["items"]
        before = self.rows()
        renamed = ada.patch(f"organizations/{organization['id']}", {"name": name})
        assert renamed.status == 200, renamed.raw
        self.organization = name
        after = self.rows()
        known = {"work_items": {"organization_key": name.lower()}, "running_timers": {"organization": name}}
        for (table, key), row in before.items():
            assert after[table, key] == {**row, **known.get(table, {})}


class Restoring(HostilePeople):
    """An operator holds the database after a restore, and accepts it some steps later."""

    @rule()
    @precondition(lambda self: hasattr(self, "people"))
    def an_operator_holds_the_database(self):
        with self.changing(), self.app.transaction() as tx:
            store.begin(tx, now=self.clock())

    @rule()
    @precondition(lambda self: hasattr(self, "people"))
    def an_operator_accepts_the_database(self):
        with self.app.transaction() as tx:
            found = store.read(tx)
        if not found.is_held:
            return
        with self.changing(), self.app.transaction() as tx:
            assert store.accept(tx, found.mark.epoch + 1, restored_to=found.moved_at, now=self.clock())

    def teardown(self):
        if hasattr(self, "people"):
            self.an_operator_accepts_the_database()
        super().teardown()


class Machine(Renaming, Tracking, Privacy, Invitations, Settings, Restoring):
    pass


@pytest.mark.timeout(600)
def test_no_action_of_a_person_damages_records_of_others(app, world, clock, engine):
    """Each example has its own organization in the same database."""
    with installations.own(engine):
        run_state_machine_as_test(
            lambda: Machine(app, world, clock, engine),  # type: ignore[arg-type]  # a factory will do
            settings=settings(
                max_examples=tries(5),
                stateful_step_count=25,
                suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
            ),
        )
