"""For every role, each response to random requests is in the served contract."""

import pytest
import sqlalchemy as sa

from shared.db.schema import users
from tests.fuzz import fuzzing
from tests.fuzz.fuzzing import Budget
from tests.support.bills import close_a_month
from tests.support.budget import ALL, seed, slow


SEED = seed(20261125)
# Boundary values do not depend on the role: a short run tests them once, with the role with the most rights.
SHORT = {
    "user": Budget(examples=3, walks=4, edges=False),
    "admin": Budget(examples=3, walks=4, edges=False),
    "super_admin": Budget(examples=3, walks=4, edges=True),
}
FULL = Budget(examples=100, walks=200, edges=True)
# Operations that must succeed at least once in a run of the role, since a run with refusals alone would pass. All roles
# write time.
TIME = {
    "POST /api/timers/start",
    "POST /api/timers/stop",
    "POST /api/entries",
    "PATCH /api/entries/{id}",
    "DELETE /api/entries/{id}",
    "PUT /api/days/{date}/work-items/{organization}/{id}",
}
REQUIRED = {
    "user": {"GET /api/me", "POST /api/sign-in", "GET /api/reports/month", "GET /api/timer-log"},
    "admin": {"GET /api/users", "GET /api/tenant", "GET /api/timers", "GET /api/actions"},
    "super_admin": {"GET /api/billing/records", "GET /api/audit", "GET /api/users", "GET /api/billing/subscription"},
}
pytestmark = pytest.mark.http_only


@pytest.fixture
def tenant(world, clock, engine):
    """The super admin of a tenant with time, a bill, and a colleague with restricted processing."""
    clock.set("2026-11-23T12:00:00Z")  # so that the contract's examples lie in the last 24 hours
    owner = world.tenant()
    colleague = world.member(owner)
    colleague.enter()
    assert colleague.patch("privacy", {"restricted": True}).status == 200
    with engine.begin() as tx:
        row = tx.execute(sa.select(users).where(users.c.email == owner.email)).one()
        close_a_month(tx, row.tenant_id, row.id, email=owner.email, name=owner.name)
    return owner


@pytest.fixture
def people(world, tenant):
    """A person of each role, with an entry and a running timer."""
    people = {"user": world.member(tenant), "admin": world.member(tenant), "super_admin": tenant}
    promoted = people["admin"].get("me").body["id"]
    assert tenant.patch(f"users/{promoted}", {"role": "admin"}).status == 200
    for person in people.values():
        person.enter()
        person.start()
    return people


@pytest.mark.parametrize("role", ["user", slow("admin"), "super_admin"])
def test_every_operation_keeps_its_contract(people, host, role):
    found = fuzzing.run(host, people[role].token, FULL if ALL else SHORT[role], seed=SEED)

    assert found.failures == {}, SEED
    assert set(found.succeeded) >= REQUIRED[role] | TIME
