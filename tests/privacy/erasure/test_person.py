import re
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa

from privacy.erasure import flow as erasure_flow
from shared.app import use
from shared.db.schema import billing_lines, landing_visits, organizations, tenants, users, work_items
from tests.support.bills import close_a_month
from tests.support.connection_loss import drop_connections, on_postgresql
from tests.support.scan import find_columns
from tests.support.world import new_id


DAYS = 3
LOOK_ALIKES = [  # of kim, by a rule of Unicode or by appearance
    "\N{KELVIN SIGN}im",
    "K\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}m",
    "k\N{LATIN SMALL LETTER DOTLESS I}m",
]


def me(person):
    return person.get("me").body["id"]


def ask(person, **body):
    return person.post("privacy/erasure", {"confirm": person.email, **body})


def erase_due(app, clock, days=DAYS):
    clock.tick(days=days)
    return erasure_flow.execute_due(app)


@pytest.fixture
def grace(world, clock):
    """A person with mentions in all her own and other people's rows."""
    ada = world.tenant()
    grace = world.member(ada, name=f"Grace Hopper-{new_id()[:8]}")
    world.clock.tick(minutes=1)
    grace.start(7, note="my own words", key="mine")
    clock.tick(minutes=30)
    grace.stop(key="mine-too")
    entered = grace.enter(note="call with my doctor")
    grace.correct(entered, note="another note", reason="I was at the doctor's")
    grace.post("actions", {"type": "page.open", "page": "/people/grace"})
    other = ada.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z", note=f"with {grace.name.upper()} on the phone")
    ada.correct(other, note=f"with {grace.email}", reason=f"not {grace.name}, was it")
    grace.start(8, note="still at it")
    return grace


def admin_of(engine, world, person):
    """A super admin of the person's organization."""
    other = world.member(person)
    with engine.begin() as tx:
        own = users.c.entra_object_id == uuid.UUID(other.oid)
        tx.execute(users.update().where(own).values(role="super_admin"))
    return other


def test_after_an_erasure_no_data_names_the_person(app, world, clock, grace, engine):
    above = admin_of(engine, world, grace)
    marks = (grace.email, grace.name, grace.oid, me(grace))
    before = find_columns(engine, *marks)
    asked = ask(grace)
    outcome = erase_due(app, clock)
    [listed] = world.renew_token(above).get("privacy/erasure").body["items"]

    assert {"users.email", "timer_log.reason", "time_entries.note", "idempotency_keys.body"} <= before
    assert (asked.status, asked.body["state"], asked.body["channel"]) == (201, "scheduled", "self")
    assert outcome.changed == 1
    assert listed["state"] == "done"
    # the random id, to repeat the erasure after a restore; the restore store gets it too
    assert find_columns(engine, *marks) == {
        "erasures.subject_id",
        "restore_changes.public_id",
        "restore_changes.subject_id",
    }
    assert find_columns(engine, "my own words", "doctor", "another note", "still at it") == set()


def test_hours_and_counts_stay_to_the_millisecond(app, world, clock, grace, engine):
    above = admin_of(engine, world, grace)
    grace.stop()
    grouped = {"groupBy": "project,workItem,day"}
    before, log = above.report(**grouped).body, above.log()
    ask(grace)
    erase_due(app, clock)
    above = world.renew_token(above)
    after = above.report(**grouped).body

    assert after == before
    assert [row["elapsedMs"] for row in after["rows"] if row["workItem"]["id"] == 7] == [1_800_000]
    assert [(row["timerId"], row["event"], row.get("elapsedMs")) for row in above.log()] == [
        (row["timerId"], row["event"], row.get("elapsedMs")) for row in log
    ]
    [shown] = [row["user"] for row in above.report(groupBy="user").body["rows"] if "erased" in row["user"]["email"]]
    assert shown["email"] == f"{shown['displayName']}@erased.invalid"


def test_an_erasure_also_redacts_an_action_log_in_table_storage(app, world, clock, azurite):
    elsewhere = app.settings.model_copy(update={"action_log_table_endpoint": azurite.connection_string})
    with use(replace(app, settings=elsewhere)) as kept:
        ada = world.tenant()
        grace = world.member(ada)
        mark = me(grace)
        for person in (ada, grace):
            person.post("actions", {"type": "page.open", "page": f"/people/{mark}"})
        before = {where for where, text in azurite.everything() if mark in text}
        ask(grace)
        erase_due(kept, clock)
        shown = world.renew_token(ada).get("actions").body["items"]

    assert {name.partition(".")[2] for name in before} == {"Page"}
    assert not [where for where, text in azurite.everything() if mark in text]
    assert len(shown) == 2


def test_an_erasure_stops_a_running_timer_and_keeps_its_time(app, world, clock, grace, engine):
    above = admin_of(engine, world, grace)
    ask(grace)
    erase_due(app, clock)
    entries = world.renew_token(above).entries()

    assert [entry["elapsedMs"] for entry in entries if entry["workItemId"] == 8] == [DAYS * 24 * 3_600_000]


def test_a_second_erasure_changes_nothing(app, world, clock, grace, engine):
    above = admin_of(engine, world, grace)
    ask(grace)
    erase_due(app, clock)
    with engine.connect() as tx:
        before = tx.execute(sa.select(users).where(users.c.erased_at.is_not(None))).all()
    again = erase_due(app, clock)
    with engine.connect() as tx:
        after = tx.execute(sa.select(users).where(users.c.erased_at.is_not(None))).all()
    asked = world.renew_token(above).post("privacy/erasure", {"user": str(after[-1].public_id), "confirm": "x"})

    assert again.changed == 0
    assert after == before
    assert asked.status == 404


def test_a_sign_in_after_an_erasure_creates_a_new_person(app, world, clock, grace, engine):
    admin_of(engine, world, grace)
    old = me(grace)
    ask(grace)
    erase_due(app, clock)
    grace = world.renew_token(grace)
    joined = grace.post("sign-in").body

    assert joined["user"]["id"] != old
    assert joined["user"]["role"] == "user"
    assert grace.entries() == []


def test_an_erasure_covers_bills_cached_assignees_and_landing_visits(app, clock, grace, engine):
    with engine.begin() as tx:
        [(tenant_id, user_id)] = tx.execute(
            sa.select(users.c.tenant_id, users.c.id).where(users.c.entra_object_id == uuid.UUID(grace.oid))
        )
        close_a_month(tx, tenant_id, user_id, email=grace.email, name=f"{grace.name} Smith")
        own = organizations.c.tenant_id == tenant_id
        tx.execute(
            work_items.insert(),
            {
                "tenant_id": tenant_id,
                "organization_id": tx.execute(sa.select(organizations.c.id).where(own)).scalar_one(),
                "organization_key": "contoso",
                "work_item_id": 99,
                "type": "Bug",
                "title": f"Ask {grace.name} about it",
                "assignee_name": grace.name,
                "state": "Active",
                "fetched_at": clock(),
            },
        )
        tx.execute(tenants.update().where(tenants.c.id == tenant_id).values(admin_email=grace.email.upper()))
        visit = {"public_id": uuid.UUID(new_id()), "browser_hash": "b", "state_hash": new_id(), "email": grace.email}
        visit |= {"entra_tenant_id": uuid.UUID(grace.tid), "entra_object_id": uuid.UUID(grace.oid), "name": grace.name}
        visit |= {"marketplace_id": uuid.UUID(new_id()), "created_at": clock(), "expires_at": clock()}
        tx.execute(landing_visits.insert(), visit)
    ask(grace)
    erase_due(app, clock)
    with engine.connect() as tx:
        line = tx.execute(sa.select(billing_lines).where(billing_lines.c.tenant_id == tenant_id)).one()

    assert find_columns(engine, grace.email, grace.name) == set()
    assert line.email.endswith("@erased.invalid")


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_a_similar_address_of_the_organization_is_not_removed(app, world, clock, engine, look_alike):
    ada = world.tenant()
    domain = f"a{ada.oid[:8]}.example"
    with engine.begin() as tx:
        own = tenants.c.entra_tenant_id == uuid.UUID(ada.tid)
        tx.execute(tenants.update().where(own).values(admin_email=f"kim@{domain}"))
    ada.enter(note=f"by Kim@{domain}")
    ask(world.member(ada, email=f"{look_alike}@{domain}"))
    erase_due(app, clock)
    ada = world.renew_token(ada)

    assert ada.get("tenant").body["adminEmail"] == f"kim@{domain}"
    assert [each["note"] for each in ada.entries()] == [f"by Kim@{domain}"]


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
@pytest.mark.parametrize("is_colleague", [False, True])
def test_text_with_a_similar_address_or_name_is_not_changed(app, world, clock, look_alike, is_colleague):
    ada = world.tenant()
    domain = f"a{ada.oid[:8]}.example"
    if is_colleague:
        world.member(ada, email=f"{look_alike}@{domain}")
    note = f"by {look_alike}@{domain}, and {look_alike} Okafor, not "
    ada.enter(note=f"{note}KIM@{domain}")
    ask(world.member(ada, name="Kim Okafor", email=f"kim@{domain}"))
    erase_due(app, clock)
    [entry] = world.renew_token(ada).entries()

    assert re.fullmatch(f"{re.escape(note)}erased-[0-9a-f]{{12}}", entry["note"])


def test_the_refusal_of_the_last_super_admin_explains_the_alternatives(world):
    ada = world.tenant()
    refused = ask(ada)

    assert (refused.status, refused.code) == (409, "last_super_admin")
    assert "super admin first" in refused.body["detail"]


def test_a_request_of_the_last_super_admin_is_on_hold_and_continues_by_itself(app, world, clock, engine):
    ada = world.tenant()
    ben = admin_of(engine, world, ada)
    asked = ask(ben)
    with engine.begin() as tx:
        tx.execute(users.update().where(users.c.entra_object_id == uuid.UUID(ada.oid)).values(role="user"))
    erase_due(app, clock)
    ben = world.renew_token(ben)
    waiting = ben.get("privacy/erasure").body["items"][0]
    with engine.begin() as tx:
        tx.execute(users.update().where(users.c.entra_object_id == uuid.UUID(ada.oid)).values(role="super_admin"))
    outcome = erase_due(app, clock, days=0)

    assert (waiting["id"], waiting["state"], waiting["holdReason"]) == (asked.body["id"], "onHold", "lastSuperAdmin")
    assert outcome.changed == 1
    assert find_columns(engine, ben.email) == set()


def test_an_erasure_starts_after_three_days_and_can_be_withdrawn(app, world, clock, grace, engine):
    asked = ask(grace)
    again = ask(grace)
    early = erase_due(app, clock, days=2.9)
    grace = world.renew_token(grace)
    back = grace.delete(f"privacy/erasure/{asked.body['id']}")
    late = erase_due(app, clock)
    twice = world.renew_token(grace).delete(f"privacy/erasure/{asked.body['id']}")

    assert (again.status, again.body["id"]) == (200, asked.body["id"])
    assert (early.changed, late.changed) == (0, 0)
    assert (back.status, back.body["state"]) == (200, "withdrawn")
    assert (twice.status, twice.code) == (409, "request_state")
    assert "users.email" in find_columns(engine, grace.email)


def test_only_a_super_admin_can_request_the_erasure_of_another(app, world, clock, engine):
    ada = world.tenant()
    ben, chloe = world.member(ada), world.member(ada)
    unconfirmed = ask(ada, user=me(ben))
    refused = ask(chloe, user=me(ben), confirm=ben.email)
    asked = ask(ada, user=me(ben), confirm=ben.email)
    bens_own = ben.delete(f"privacy/erasure/{asked.body['id']}")
    whole = ask(chloe, scope="tenant", confirm="x")
    erase_due(app, clock)

    assert (unconfirmed.status, unconfirmed.code) == (400, "not_confirmed")
    assert refused.status == 404
    assert asked.body["channel"] == "superAdmin"
    assert (bens_own.status, bens_own.code) == (403, "not_yours")
    assert (whole.status, whole.code) == (403, "role_required")
    assert find_columns(engine, ben.email) == set()
    assert "users.email" in find_columns(engine, chloe.email)


def test_an_erased_person_cannot_be_managed(app, world, clock, engine):
    ada = world.tenant()
    ben = world.member(ada)
    ask(ada, user=me(ben), confirm=ben.email)
    erase_due(app, clock)
    ada = world.renew_token(ada)
    with engine.connect() as tx:
        erased = tx.execute(
            sa.select(users.c.public_id)
            .join(tenants, tenants.c.id == users.c.tenant_id)
            .where(users.c.erased_at.is_not(None), tenants.c.entra_tenant_id == uuid.UUID(ada.tid))
        ).scalar_one()

    assert len(ada.get("users").body["items"]) == 1
    assert ada.post(f"users/{erased}/reactivate").status == 404


@on_postgresql
@pytest.mark.parametrize("beginning", ["UPDATE users", "UPDATE timer_log", "UPDATE privacy_requests"])
def test_an_erasure_continues_in_the_same_run_after_a_lost_connection(app, world, clock, grace, engine, beginning):  # noqa: PLR0917
    above = admin_of(engine, world, grace)
    ask(grace)
    with drop_connections(app.engine, engine, beginning) as statements:
        erase_due(app, clock)
    [listed] = world.renew_token(above).get("privacy/erasure").body["items"]

    assert (listed["state"], len(statements)) == ("done", 1)
    assert find_columns(engine, grace.email, grace.oid) == set()
