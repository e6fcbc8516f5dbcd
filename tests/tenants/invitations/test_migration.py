"""Older invitations end 14 days after the migration, and their roles wait; also after a downgrade and upgrade."""

import datetime as dt

import pytest
import sqlalchemy as sa

from devcloud import postgres
from shared import clock
from shared.db.engine import make_engine
from shared.db.schema import users
from shared.db.types import UtcDateTime
from shared.health.invariants import INVARIANTS, check
from tests.support.migrations import alembic


BEFORE, AFTER = "5d3a9c41e7f2", "5d9a3e71c048"
SHARP = "boss.stra\N{LATIN SMALL LETTER SHARP S}e@a.example"
STAMPS = {"created_at": UtcDateTime(), "updated_at": UtcDateTime()}
IDS = {"public_id": sa.Uuid(), "entra_tenant_id": sa.Uuid()}
TENANT = ("slug", "name", "organization", "plan_kind", "status", "time_zone", "seats_used", "version")
PERSON = ("tenant_id", "email", "email_key", "display_name", "role", "auth_provider", "is_active", "version")


def table(name, *columns, **typed):
    return sa.table(name, *map(sa.column, columns), *(sa.column(each, kind) for each, kind in typed.items()))


TENANTS = table("tenants", *TENANT, **IDS, **STAMPS)
USERS = table("users", *PERSON, public_id=sa.Uuid(), entra_object_id=sa.Uuid(), **STAMPS)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/before.db"
    return postgres.make_database(request.getfixturevalue("postgres_server"), f"invited_{clock.new_id().hex}")


def fill(engine):
    now = clock.now()
    stamps = {"created_at": now - dt.timedelta(days=100), "updated_at": now}
    plan = {"plan_kind": "internal", "status": "active", "time_zone": "UTC", "seats_used": 5, "version": 1}
    names = {"slug": "contoso", "name": "Contoso", "organization": "contoso"}
    people = [
        ("ada@a.example", "ada@a.example", "super_admin", "microsoft", True),
        ("BEN@a.example", "ben@a.example", "user", "microsoft", True),
        ("ben@a.example", None, "user", "microsoft", False),
        ("Chloe@a.example", "chloe@a.example", "admin", "manual", True),
        (SHARP, "boss.strasse@a.example", "super_admin", "manual", True),
        ("gone@a.example", "gone@a.example", "admin", "manual", False),
        ("new@a.example", "new@a.example", "user", "manual", True),
    ]
    with engine.begin() as tx:
        of_tenant = {"public_id": clock.new_id(), "entra_tenant_id": clock.new_id()}
        tx.execute(TENANTS.insert(), {**names, **plan, **of_tenant, **stamps})
        for email, key, role, provider, is_active in people:
            who = {"email": email, "email_key": key, "display_name": email, "role": role, "auth_provider": provider}
            oid = clock.new_id() if provider == "microsoft" else None
            ids = {"public_id": clock.new_id(), "entra_object_id": oid}
            tx.execute(USERS.insert(), {"tenant_id": 1, **who, "is_active": is_active, "version": 1, **ids, **stamps})


def people(engine):
    columns = (users.c.email, users.c.email_key, users.c.role, users.c.pending_role, users.c.invitation_ends_at)
    with engine.connect() as tx:
        return {row.email: tuple(row)[1:] for row in tx.execute(sa.select(*columns).order_by(users.c.id))}


def test_open_invitations_end_14_days_after_the_migration_and_match_their_exact_address(url):
    alembic(url, "upgrade", BEFORE)
    engine = make_engine(url)
    fill(engine)
    began = clock.now()
    alembic(url, "upgrade", AFTER)
    found = people(engine)
    ends = {email: row[-1] for email, row in found.items() if row[-1] is not None}

    assert {email: row[:3] for email, row in found.items()} == {
        "ada@a.example": (None, "super_admin", None),
        "BEN@a.example": (None, "user", None),
        "ben@a.example": (None, "user", None),
        "Chloe@a.example": ("chloe@a.example", "user", "admin"),
        SHARP: (None, "user", "super_admin"),
        "gone@a.example": (None, "admin", None),
        "new@a.example": ("new@a.example", "user", None),
    }
    assert set(ends) == {"Chloe@a.example", SHARP, "new@a.example"}
    assert all(dt.timedelta(0) <= at - began - dt.timedelta(days=14) < dt.timedelta(minutes=10) for at in ends.values())
    with engine.connect() as tx:
        assert (
            check(
                tx,
                "an_address_waits_only_for_an_open_invitation",
                INVARIANTS["an_address_waits_only_for_an_open_invitation"],
            )
            is None
        )
        assert check(tx, "every_tenant_has_a_super_admin", INVARIANTS["every_tenant_has_a_super_admin"]) is None
    alembic(url, "downgrade", BEFORE)
    with engine.connect() as tx:
        back = [tuple(row) for row in tx.execute(sa.select(USERS.c.email, USERS.c.email_key, USERS.c.role))]
    alembic(url, "upgrade", AFTER)

    assert dict(row[:2] for row in back if row[0] != SHARP) == {
        "ada@a.example": "ada@a.example",
        "BEN@a.example": None,
        "ben@a.example": "ben@a.example",
        "Chloe@a.example": "chloe@a.example",
        "gone@a.example": None,
        "new@a.example": "new@a.example",
    }
    assert {row[0]: row[2] for row in back}["Chloe@a.example"] == "admin"
    assert people(engine)["Chloe@a.example"][:3] == ("chloe@a.example", "user", "admin")
    engine.dispose()
