"""Requests, holds, releases and withdrawals in any order lead to the states of a simple model."""

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
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

from privacy import person_store
from privacy.erasure import flow as erasure_flow
from privacy.requests import service as requests_service
from privacy.requests import store as requests_store
from privacy.rules import Channel, Hold
from shared.db.schema import tenants, time_entries, users
from shared.errors import Conflict
from shared.tenancy.store import read_tenant
from shared.work import OPERATOR, Work
from tests.support.budget import tries
from tests.support.scan import find_columns


OPEN = ("requested", "scheduled", "onHold")
LEGAL = ("legalClaim", "legalObligation", "authorityOrder")
who = st.integers(0, 2)
which = st.integers(0, 30)
reasons = st.sampled_from(LEGAL)


@dataclass
class ModelRequest:
    """A request in the model. `subject` None is the organization."""

    id: str
    subject: int | None
    by: int | None
    verified: dt.datetime | None = None
    state: str = "requested"
    hold: str | None = None
    due: dt.datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class Machine(RuleBasedStateMachine):
    """An organization on a trial: Ada and Ben are super admins, Chloe is a user."""

    def __init__(self, app, world, clock, engine) -> None:
        super().__init__()
        self.app, self.world, self.clock, self.engine = app, world, clock, engine

    @initialize()
    def add_organization(self):
        ada = self.world.tenant()
        self.people = [ada, self.world.member(ada), self.world.member(ada)]
        self.super_admins = {0, 1}
        self.erased: set[int] = set()
        self.is_gone, self.tenant_hold = False, None
        self.requests: list[ModelRequest] = []
        with self.engine.begin() as tx:
            oids = [uuid.UUID(each.oid) for each in self.people]
            found = tx.execute(sa.select(users).where(users.c.entra_object_id.in_(oids)).order_by(users.c.id)).all()
            tx.execute(users.update().where(users.c.id == found[1].id).values(role="super_admin"))
            self.tenant_id, self.rows = found[0].tenant_id, [row.id for row in found]
            self.slug = tx.scalar(sa.select(tenants.c.slug).where(tenants.c.id == self.tenant_id))
        self.ids = [str(row.public_id) for row in found]
        for person in self.people:
            person.enter(note=f"by {person.email}")

    def run_as_operator(self, verb, *arguments):
        """Runs a command as an operator; False if it is refused."""
        try:
            with self.app.transaction(tenant=self.tenant_id) as tx:
                work = Work(tx, read_tenant(tx, self.tenant_id), OPERATOR, self.clock(), self.app.new_id)
                verb(work, *arguments)
        except Conflict:
            return False
        return True

    def row(self, request):
        with self.app.transaction(tenant=self.tenant_id) as tx:
            return requests_store.find(tx, self.tenant_id, uuid.UUID(request.id))

    def find_open(self, subject):
        return next((each for each in self.requests if each.is_open and each.subject == subject), None)

    def schedule(self, request):
        if self.tenant_hold is not None:
            request.state, request.hold = "onHold", "organisationHeld"
            return
        pause = dt.timedelta(0) if request.by is None else dt.timedelta(days=3)
        request.state, request.hold = "scheduled", None
        request.due = max(self.clock(), request.verified + pause)

    def is_last(self, person):
        return person in self.super_admins and self.super_admins - self.erased == {person}

    @rule(by=who, subject=who)
    @precondition(lambda self: not self.is_gone)
    def request_erasure(self, by, subject):
        if by in self.erased:
            return
        person = self.world.renew_token(self.people[by])
        body = {"confirm": self.people[subject].email} | ({} if by == subject else {"user": self.ids[subject]})
        answer, before = person.post("privacy/erasure", body), self.find_open(subject)
        if subject in self.erased or (by != subject and by not in self.super_admins):
            assert answer.status == 404
        elif before is not None:
            assert (answer.status, answer.body["id"]) == (200, before.id)
        elif self.is_last(subject):
            assert (answer.status, answer.code) == (409, "last_super_admin")
        else:
            assert answer.status == 201, answer.raw
            request = ModelRequest(answer.body["id"], subject, by, verified=self.clock())
            self.schedule(request)
            self.requests.append(request)

    @rule(by=who)
    @precondition(lambda self: not self.is_gone)
    def request_tenant_erasure(self, by):
        if by in self.erased:
            return
        person = self.world.renew_token(self.people[by])
        answer, before = person.post("privacy/erasure", {"scope": "tenant", "confirm": self.slug}), self.find_open(None)
        if by not in self.super_admins:
            assert (answer.status, answer.code) == (403, "role_required")
        elif before is not None:
            assert (answer.status, answer.body["id"]) == (200, before.id)
        else:
            request = ModelRequest(answer.body["id"], None, by, verified=self.clock())
            self.schedule(request)
            self.requests.append(request)

    @rule(subject=who)
    @precondition(lambda self: not self.is_gone)
    def request_as_operator(self, subject):
        if subject in self.erased or self.find_open(subject) is not None:
            return
        with self.app.transaction(tenant=self.tenant_id) as tx:
            person = person_store.read(tx, self.tenant_id, self.rows[subject])
        done = self.run_as_operator(requests_service.request_person_erasure, person, Channel.OPERATOR)
        assert done is not self.is_last(subject)
        if done:
            with self.app.transaction(tenant=self.tenant_id) as tx:
                found = requests_store.find_open(tx, self.tenant_id, self.rows[subject])
            assert found is not None
            self.requests.append(ModelRequest(str(found.public_id), subject, None))

    @rule(number=which)
    @precondition(lambda self: self.requests)
    def verify(self, number):
        request = self.requests[number % len(self.requests)]
        done = self.run_as_operator(requests_service.verify, self.row(request))
        assert done is (request.state == "requested")
        if done:
            request.verified = self.clock()
            self.schedule(request)

    @rule(number=which, reason=reasons)
    @precondition(lambda self: self.requests)
    def hold(self, number, reason):
        request = self.requests[number % len(self.requests)]
        done = self.run_as_operator(requests_service.hold, self.row(request), Hold(reason))
        assert done is (request.is_open and request.hold not in LEGAL)
        if done:
            request.state, request.hold = "onHold", reason

    @rule(number=which)
    @precondition(lambda self: self.requests)
    def release(self, number):
        request = self.requests[number % len(self.requests)]
        done = self.run_as_operator(requests_service.release, self.row(request))
        assert done is (request.state == "onHold")
        if done and request.verified is None:
            request.state, request.hold = "requested", None
        elif done:
            self.schedule(request)

    @rule(number=which)
    @precondition(lambda self: self.requests)
    def withdraw(self, number):
        request = self.requests[number % len(self.requests)]
        done = self.run_as_operator(requests_service.withdraw, self.row(request))
        assert done is request.is_open
        if done:
            request.state, request.hold = "withdrawn", None

    @rule(reason=reasons)
    def set_legal_hold(self, reason):
        assert self.run_as_operator(requests_service.set_legal_hold, Hold(reason))
        self.tenant_hold = reason
        for request in self.requests:
            if request.state == "scheduled":
                request.state, request.hold = "onHold", "organisationHeld"

    @rule()
    def lift_legal_hold(self):
        done = self.run_as_operator(requests_service.lift_legal_hold)
        assert done is (self.tenant_hold is not None)
        self.tenant_hold = None
        for request in self.requests if done else ():
            if request.hold == "organisationHeld":
                self.schedule(request)

    @rule(person=who, is_super_admin=st.booleans())
    @precondition(lambda self: not self.is_gone)
    def change_role(self, person, is_super_admin):
        changed = self.super_admins | {person} if is_super_admin else self.super_admins - {person}
        if person in self.erased or not changed - self.erased:
            return
        with self.engine.begin() as tx:
            role = {"role": "super_admin" if is_super_admin else "user"}
            tx.execute(users.update().where(users.c.id == self.rows[person]).values(**role))
        self.super_admins = changed

    @rule(hours=st.integers(1, 60))
    def pass_time(self, hours):
        self.clock.tick(hours=hours)

    @rule()
    def run_job(self):
        before = len(self.erased)
        erasure_flow.execute_due(self.app)
        for request in self.due_requests():
            self.carry_out(request)
        if len(self.erased) > before:
            gone = [mark for each in self.erased for mark in (self.people[each].email, self.people[each].oid)]
            assert find_columns(self.engine, *gone) == set()

    def due_requests(self):
        """The requests that the job processes, oldest first."""
        return [] if self.tenant_hold else [each for each in self.requests if self.is_due(each)]

    def is_due(self, request):
        return request.hold == "lastSuperAdmin" or (request.state == "scheduled" and request.due <= self.clock())

    def carry_out(self, request):
        if request.hold is not None:
            self.schedule(request)
        if request.subject is None:
            self.is_gone, self.erased, request.state = True, {0, 1, 2}, "done"
        elif request.subject not in self.erased and self.is_last(request.subject):
            request.state, request.hold = "onHold", "lastSuperAdmin"
        else:
            self.erased.add(request.subject)
            request.state = "done"

    @invariant()
    @precondition(lambda self: hasattr(self, "requests"))
    def states_equal_the_model(self):
        with self.app.transaction(tenant=self.tenant_id) as tx:
            found = {
                str(each.public_id): each
                for each in requests_store.list_newest(tx, self.tenant_id, user_id=None, limit=99)
            }
        assert {name: (each.state, each.hold) for name, each in found.items()} == {
            each.id: (each.state, each.hold) for each in self.requests
        }
        assert {each.id: found[each.id].scheduled_for for each in self.requests} == {
            each.id: each.due for each in self.requests
        }

    @invariant()
    @precondition(lambda self: hasattr(self, "requests"))
    def only_erased_people_have_a_pseudonym_and_all_hours_stay(self):
        with self.engine.connect() as tx:
            people = tx.execute(sa.select(users).where(users.c.id.in_(self.rows)).order_by(users.c.id)).all()
            own = time_entries.c.tenant_id == self.tenant_id
            ms = tx.scalar(sa.select(sa.func.coalesce(sa.func.sum(time_entries.c.elapsed_ms), 0)).where(own))
        assert {number for number, row in enumerate(people) if row.erased_at is not None} == self.erased
        assert {number for number, row in enumerate(people) if row.email == self.people[number].email} == (
            {0, 1, 2} - self.erased
        )
        assert ms == (0 if self.is_gone else 3 * 3_600_000)


def test_requests_follow_the_model_of_states(app, world, clock, engine):
    """Each example has its own organization in the same database."""
    run_state_machine_as_test(
        lambda: Machine(app, world, clock, engine),  # type: ignore[arg-type]  # a factory will do
        settings=settings(
            max_examples=tries(8),
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        ),
    )
