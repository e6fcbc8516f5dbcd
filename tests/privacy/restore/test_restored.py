"""After a restore the last change of each right counts, from the restore store or this database."""

import datetime as dt
import uuid
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy.requests import service as requests_service
from privacy.restore.flow import RepeatResult, apply_rights, repeat_erasures
from privacy.rules import Hold
from shared.clock import new_id
from shared.db.schema import audit_log, users
from shared.restore.model import PrivacyChange, PrivacyChangeKind
from shared.tenancy.store import read_tenant
from shared.work import OPERATOR, Work
from tests.support.budget import tries
from tests.support.world import START


RIGHTS = {
    PrivacyChangeKind.RESTRICTION: "restricted_at",
    PrivacyChangeKind.OBJECTION: "objected_at",
    PrivacyChangeKind.CONSENT: "consent_withdrawn_at",
}


@dataclass(frozen=True)
class Member:
    """A person of a tenant, with the ids of the restore store."""

    person: object
    tenant_id: int
    tenant: uuid.UUID
    subject: uuid.UUID
    engine: sa.Engine

    def change(self, minutes, *, in_force=True, kind=PrivacyChangeKind.RESTRICTION):
        at = START + dt.timedelta(minutes=minutes)
        return PrivacyChange(new_id(), kind, self.tenant, self.subject, in_force, at)

    def row(self):
        with self.engine.connect() as tx:
            return tx.execute(sa.select(users).where(users.c.public_id == self.subject)).one_or_none()

    def in_force(self):
        return {kind for kind, column in RIGHTS.items() if getattr(self.row(), column) is not None}


@pytest.fixture
def admin(world):
    return world.tenant()


@pytest.fixture
def member(world, engine, admin):
    return sign_in(engine, world.member(admin))


def sign_in(engine, person):
    welcome = person.post("sign-in").body
    subject = uuid.UUID(welcome["user"]["id"])
    with engine.connect() as tx:
        tenant_id = tx.execute(sa.select(users.c.tenant_id).where(users.c.public_id == subject)).scalar_one()
    return Member(person, tenant_id, uuid.UUID(welcome["tenant"]["id"]), subject, engine)


def test_a_right_missing_in_the_backup_is_in_force_again_and_stops_the_timer(app, member):
    member.person.start()
    changed = apply_rights(app, [member.change(1)]), apply_rights(app, [member.change(1)])

    assert changed == (1, 0)
    assert member.in_force() == {PrivacyChangeKind.RESTRICTION}
    assert member.person.running().status == 204
    with member.engine.connect() as tx:
        of_member = audit_log.c.tenant_id == member.tenant_id, audit_log.c.action == "right.changed"
        assert [row.actor_kind for row in tx.execute(sa.select(audit_log).where(*of_member))] == ["operator"]


def test_a_change_after_the_restore_takes_precedence(app, member):
    apply_rights(app, [member.change(1)], since=[member.change(2, in_force=False)])

    assert member.in_force() == set()


@settings(max_examples=tries(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(sorted(RIGHTS)), st.booleans()),
        max_size=8,
        unique_by=lambda each: each[:2],
    ),
    later=st.lists(
        st.tuples(st.sampled_from(sorted(RIGHTS)), st.booleans()), max_size=2, unique_by=lambda each: each[0]
    ),
)
def test_the_last_change_of_each_right_counts(app, member, changes, later):
    before = member.in_force()
    since = [member.change(9, kind=kind, in_force=in_force) for kind, in_force in later]
    apply_rights(app, [member.change(at, kind=kind, in_force=in_force) for at, kind, in_force in changes], since=since)
    last = {kind: in_force for _, kind, in_force in sorted(changes) if kind not in dict(later)}

    assert member.in_force() == {kind for kind in RIGHTS if last.get(kind, kind in before)}


def test_a_restored_person_is_erased_again_and_a_second_run_changes_nothing(app, member):
    subjects = [(member.tenant, member.subject), (new_id(), new_id()), (member.tenant, new_id())]
    first, second = repeat_erasures(app, subjects), repeat_erasures(app, subjects)

    assert first == {RepeatResult.DONE: 1, RepeatResult.UNKNOWN: 1, RepeatResult.ALREADY_ERASED: 1}
    assert second == {RepeatResult.UNKNOWN: 1, RepeatResult.ALREADY_ERASED: 2}
    assert member.row() is None
    assert apply_rights(app, [member.change(1)]) == 0


def test_a_refused_erasure_does_not_stop_the_others(app, world, engine, admin, member):
    other = sign_in(engine, world.tenant())
    held = sign_in(engine, world.member(other.person))
    with app.transaction(tenant=held.tenant_id) as tx:
        requests_service.set_legal_hold(
            Work(tx, read_tenant(tx, held.tenant_id), OPERATOR, START, new_id), Hold.LEGAL_CLAIM
        )
    last = sign_in(engine, admin)
    again = repeat_erasures(app, [(each.tenant, each.subject) for each in (last, held, member)])

    assert again == {RepeatResult.REFUSED: 1, RepeatResult.WAITING: 1, RepeatResult.DONE: 1}
    assert (member.row(), held.row().erased_at, last.row().erased_at) == (None, None, None)


def test_other_due_requests_wait_for_the_job(app, world, admin, member):
    """Only listed people are erased: the database is on hold."""
    another = world.member(admin)
    another.post("privacy/erasure", {"confirm": another.email})
    app.now.tick(days=4)
    repeat_erasures(app, [(member.tenant, member.subject)])

    assert world.renew_token(another).get("me").status == 200
