"""The migration lists the log documents damaged by erasures of earlier versions, once."""

import pytest
import sqlalchemy as sa

from devcloud import postgres
from shared import clock
from shared.db.engine import make_engine
from shared.db.schema import audit_log, damaged_documents, organizations, projects, tenants, timer_log, users
from tests.support.migrations import alembic


BEFORE = "5c0e7a3d91f2"
GONE = "erased-0123456789ab"
VERSION = {
    "organization": "contoso",
    "project": "Website",
    "workItemId": 7,
    "startedAt": "2026-11-20T09:00:00.000Z",
    "stoppedAt": "2026-11-20T10:00:00.000Z",
    "elapsedMs": 3_600_000,
    "timeZone": "UTC",
    "note": None,
    "source": "manual",
    "needsReview": False,
    "version": 1,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def before(request, tmp_path):
    """A database of the previous version with damaged and undamaged rows."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/before.db"
    else:
        server = request.getfixturevalue("postgres_server")
        url = postgres.make_database(server, f"damaged_{clock.new_id().hex[:8]}")
    alembic(url, "upgrade", BEFORE)
    engine = make_engine(url)
    with engine.begin() as tx:
        fill(tx)
    yield url, engine
    engine.dispose()


def fill(tx):
    now = clock.now()
    stamps = {"created_at": now, "updated_at": now, "version": 1}
    plan = {"plan_kind": "trial", "status": "active", "time_zone": "UTC", "seats_used": 1, "organization": "contoso"}
    account = {"role": "user", "auth_provider": "microsoft"}
    for number, name in enumerate(("contoso", "fabrikam"), 1):
        ids = {"public_id": clock.new_id(), "entra_tenant_id": clock.new_id()}
        tx.execute(tenants.insert(), {"slug": name, "name": name, **plan, **ids, **stamps})
        for called, erased_at in ((GONE, now), ("Ada", None)):
            who = {"tenant_id": number, "email": called, "display_name": called, "public_id": clock.new_id()}
            is_gone = number == 2 and erased_at is not None  # the second organization has no erasure
            life = {"erased_at": None if is_gone else erased_at, "is_active": erased_at is None}
            tx.execute(users.insert(), {**who, **account, **life, **stamps})
        org = {"tenant_id": number, "name": "contoso", "name_key": "contoso", "public_id": clock.new_id()}
        tx.execute(organizations.insert(), {**org, "is_active": True, "created_at": now})
        project = {"tenant_id": number, "organization_id": number, "organization": "contoso", "name": "Website"}
        tx.execute(projects.insert(), {**project, "name_key": "contoso/website", "public_id": clock.new_id()})
        for changed in ({}, {"note": f"with {GONE}"}, {"startedAt": f"{GONE}-11-20T09:00:00.000Z"}, {"source": GONE}):
            row = {"tenant_id": number, "user_id": 2 * number, "timer_id": clock.new_id(), "event": "entered"}
            row |= {"entry_version": 1, "happened_at": now, "received_at": now, "project_id": number}
            row |= {"work_item_id": 7, "elapsed_ms": 3_600_000, "after_change": {**VERSION, **changed}}
            tx.execute(timer_log.insert(), row)
        for after in ({"role": "admin"}, {"role": GONE}):
            row = {"tenant_id": number, "public_id": clock.new_id(), "at": now, "actor_kind": "service"}
            columns = sa.table("audit_log", *(sa.column(each.name, each.type) for each in audit_log.columns))
            tx.execute(columns.insert(), {**row, "action": "role.changed", "after_change": after})


def test_only_damaged_rows_are_listed_and_each_once(before):
    url, engine = before
    for steps in (("upgrade", "head"), ("downgrade", BEFORE), ("upgrade", "head")):
        alembic(url, *steps)
    with engine.connect() as tx:
        columns = (damaged_documents.c.tenant_id, damaged_documents.c.table_name, damaged_documents.c.row_id)
        found = {tuple(row) for row in tx.execute(sa.select(*columns))}
        names = tx.scalars(sa.select(users.c.directory_name)).all()

    assert found == {(1, "timer_log", 3), (1, "timer_log", 4), (1, "audit_log", 2)}
    assert names == [None] * 4
