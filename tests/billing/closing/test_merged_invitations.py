"""A person and an invitation merged into them are billed once for a month, at any time of the merge."""

import pytest
import sqlalchemy as sa

from shared.db.schema import tenants, users
from shared.tenancy.store import lock_tenant
from tenants import seat_store
from tenants.invitations import store as invitations_store
from tests.support.paying_tenants import PayingTenant, at
from timers.entries.move_service import move_entries


JAN, FEB, MAR = (at(f"2026-{month:02}-01") for month in (1, 2, 3))
BEN, CHLOE, INVITATION = 1, 2, 3  # their numbers among the people


@pytest.fixture
def payer(app, engine):  # noqa: ARG001 - the app's end checks every invariant
    return PayingTenant.create(engine)


@pytest.fixture
def invitation(payer):
    """An account of the tenant without a sign-in."""
    user = payer.add_person(JAN)
    with payer.engine.begin() as tx:
        this = sa.and_(users.c.tenant_id == payer.tenant_id, users.c.id == user)
        tx.execute(users.update().where(this).values(entra_object_id=None, auth_provider="manual"))
    return user


def merge(payer, invitation, person, now):
    with payer.engine.begin() as tx:
        move_entries(payer.user_work(tx, payer.people[0], now), invitation, to=person)
        lock_tenant(tx, payer.tenant_id)
        assert invitations_store.merge(tx, payer.tenant_id, invitation, into=person, now=now)
        seat_store.give_seat_back(tx, payer.tenant_id, now=now)


def add_time(payer, user, day):
    payer.add_time(user, at(f"{day}T10:00"), at(f"{day}T12:00"))


def test_both_are_one_active_user_on_the_bill_of_an_open_month(payer, invitation):
    payer.subscribe(JAN)
    ben = payer.people[1]
    add_time(payer, invitation, "2026-01-12")
    add_time(payer, ben, "2026-01-13")
    merge(payer, invitation, ben, at("2026-01-20"))
    [record] = payer.close(FEB)

    assert record.active_users == 1
    assert payer.billed_people() == [(BEN, 202601)]


def test_the_person_is_not_billed_again_for_a_month_billed_for_the_invitation(payer, invitation):
    payer.subscribe(JAN)
    ben = payer.people[1]
    add_time(payer, invitation, "2026-01-12")
    [january] = payer.close(FEB)
    merge(payer, invitation, ben, at("2026-02-03"))
    add_time(payer, ben, "2026-02-04")
    [february] = payer.close(MAR)

    assert payer.billed_people(january) == [(INVITATION, 202601)]
    assert payer.billed_people(february) == [(BEN, 202602)]


def test_a_bill_replaced_after_the_merge_has_the_person(payer, invitation):
    payer.subscribe(JAN)
    ben = payer.people[1]
    add_time(payer, invitation, "2026-01-12")
    add_time(payer, ben, "2026-01-13")
    [january] = payer.close(FEB)
    merge(payer, invitation, ben, at("2026-02-03"))
    replacement = payer.void(january, at("2026-02-04"), is_replaced=True)

    assert january.active_users == 2
    assert payer.billed_people(replacement) == [(BEN, 202601)]


def test_late_time_of_another_person_is_still_billed(payer, invitation):
    payer.subscribe(JAN)
    _, ben, chloe = payer.people[:3]
    add_time(payer, invitation, "2026-01-12")
    payer.close(FEB)
    merge(payer, invitation, ben, at("2026-02-03"))
    payer.add_time(chloe, at("2026-01-15T10:00"), at("2026-01-15T11:00"), now=at("2026-02-05"))
    [february] = payer.close(MAR)

    assert payer.billed_people(february) == [(CHLOE, 202601)]
    with payer.engine.connect() as connection:
        assert connection.scalar(sa.select(tenants.c.seats_used).where(tenants.c.id == payer.tenant_id)) == 3
