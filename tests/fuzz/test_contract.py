import os
import pytest
import sqlalchemy as sa
from shared.db.schema import users
from tests.support.a_bill import close_a_month
from tests.fuzz import fuzzing

@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("role", ["user", "admin", "super_admin"])
def test_x(role, world, host, clock, engine):
    clock.set("2026-11-23T12:00:00Z")
    admin = world.tenant()
    stopped = world.member(admin)
    stopped.enter()
    assert stopped.patch("privacy", {"restricted": True}).status == 200
    with engine.begin() as tx:
        row = tx.execute(sa.select(users).where(users.c.email == admin.email)).one()
        close_a_month(tx, row.tenant_id, row.id, email=admin.email, name=admin.name)
    person = {"super_admin": admin, "user": None, "admin": None}[role] or world.member(admin)
    if role == "admin":
        me = person.get("me").body
        got = admin.patch(f"users/{me['id']}", {"role": "admin"})
        assert got.status == 200, got.raw
    for p in (admin, person):
        p.enter()
        p.start()
        p.stop()
        p.start(43)
    import time
    b=time.time()
    found = fuzzing.run(host, person.token, fuzzing.Budget(int(os.environ.get("N","3")), int(os.environ.get("W","3"))), seed=7)
    print(time.time()-b, found.statuses, len(found.reached), found.reached)
    for k, v in found.failures.items():
        print("\n##", k); print(v)
    assert not found.failures
