"""Readings of work items: in the own export, removed by an erasure and after 30 days; and titles in exports."""

import datetime as dt
import uuid

import pytest
import sqlalchemy as sa

from privacy.retention import service
from privacy.retention.rules import RetentionClass, lifetime_of
from privacy.retention.store import BATCH
from shared.db.schema import tenants, users, work_item_readers, work_items
from tests.privacy.erasure.test_person import ask, erase_due
from tests.support.exports import export
from tests.timers.work_items.test_work_items import look, refresh


BUG, SECRET = 42, 66
TITLE = "Invoices nobody has to ask about"


def rows(answer, section):
    return answer.body["sections"][section]["rows"]


def projects(answer):
    return {row["workItemId"]: row.get("project") for row in rows(answer, "workItems")}


def titles(answer):
    return {row["workItemId"]: row.get("title") for row in rows(answer, "workItems")}


def readings(engine, person):
    with engine.connect() as tx:
        of = sa.select(work_item_readers.c.work_item_id).join(users, users.c.id == work_item_readers.c.user_id)
        return sorted(tx.scalars(of.where(users.c.entra_object_id == uuid.UUID(person.oid))))


@pytest.fixture
def ada(world, azure_devops):
    """The super admin, with readings of items 42 and 66."""
    ada = world.tenant()
    refresh(ada, [BUG, SECRET], azure_devops.token())
    return ada


@pytest.fixture
def ben(world, ada, azure_devops):
    """A colleague with time on items 66 and 42, and a reading of 42."""
    ben = world.member(ada)
    ben.enter(workItemId=SECRET)
    ben.start(BUG)
    refresh(ben, [BUG, 57], azure_devops.token("ben"))
    return ben


def test_an_own_export_has_own_readings_and_the_items_of_own_time(ben):
    answer = export(ben)

    assert titles(answer) == {BUG: "Checkout fails for guests", SECRET: None}
    assert projects(answer) == {BUG: "Website", SECRET: None}
    assert [(row["workItemId"], row["readOn"]) for row in rows(answer, "workItemsRead")] == [
        (BUG, "2026-11-23"),
        (57, "2026-11-23"),
    ]
    assert {row["organization"] for row in rows(answer, "workItemsRead")} == {"contoso"}


def test_a_self_chosen_name_adds_no_work_items_to_an_export(world, ada, ben):
    mal = world.member(ada)
    mal.patch("me", {"displayName": "Ada Lovelace"})

    assert rows(export(mal), "workItems") == []
    assert SECRET in titles(export(ben))


def test_titles_in_an_export_follow_the_readings_of_its_requester(ada, ben):
    of_all = export(ada, scope="tenant")
    of_ben = export(ada, user=ben.get("me").body["id"])

    assert titles(of_all) == {BUG: "Checkout fails for guests", SECRET: TITLE, 57: None}
    assert titles(of_ben)[SECRET] == TITLE
    assert "workItemsRead" not in of_all.body["sections"]


def test_an_erasure_removes_the_persons_readings(app, clock, engine, ada, ben):
    ask(ben)
    erase_due(app, clock)
    with engine.connect() as tx:
        own = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid))
        of_tenant = work_item_readers.c.tenant_id == own.scalar_subquery()
        left = tx.scalar(sa.select(sa.func.count()).select_from(work_item_readers).where(of_tenant))

    assert left == len(readings(engine, ada)) == 2


@pytest.fixture
def tenant_id(engine, ada):
    with engine.connect() as tx:
        return tx.scalar(sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)))


def clean(engine, tenant_id, now):
    with engine.begin() as tx:
        record_statements = {kept: service.count_expired(tx, tenant_id, kept, now=now) for kept in RetentionClass}
        removed = 0
        for kept in RetentionClass:
            while some := service.remove_batch(tx, tenant_id, kept, now=now):
                removed += some
    return record_statements[RetentionClass.TITLES], record_statements[RetentionClass.READERS], removed


def test_after_thirty_days_readings_are_removed_and_titles_blanked_but_not_types(
    world, engine, ada, tenant_id, azure_devops
):
    read_at = world.clock()
    world.clock.tick(days=10)
    ada = world.renew_token(ada)
    refresh(ada, [BUG], azure_devops.token())
    at_thirty = clean(engine, tenant_id, read_at + lifetime_of(RetentionClass.TITLES))
    beyond = clean(engine, tenant_id, read_at + lifetime_of(RetentionClass.TITLES) + dt.timedelta(days=1))
    again = clean(engine, tenant_id, read_at + lifetime_of(RetentionClass.TITLES) + dt.timedelta(days=2))
    with engine.connect() as tx:
        item = work_items.c
        kept = sa.select(item.work_item_id, item.type, item.title, item.assignee_name, item.state, item.project)
        left = tx.execute(kept.where(item.tenant_id == tenant_id).order_by(item.work_item_id)).all()

    assert (at_thirty, beyond, again) == ((0, 0, 0), (1, 1, 2), (0, 0, 0))
    assert left == [
        (BUG, "Bug", "Checkout fails for guests", "Ben Okafor", "Active", "Website"),
        (SECRET, "Epic", "", None, "", None),
    ]
    assert readings(engine, ada) == [BUG]


def test_a_blanked_title_is_hidden_until_it_is_read_again(engine, ada, tenant_id, azure_devops):
    with engine.begin() as tx:
        blank = {"title": "", "assignee_name": None, "state": "", "project": None}
        tx.execute(work_items.update().where(work_items.c.tenant_id == tenant_id).values(**blank))
    hidden = look(ada, SECRET)
    ada.enter(workItemId=SECRET)
    headers, asked = {"X-AzureDevOps-Token": azure_devops.token()}, {"month": "2026-11", "groupBy": "workItem"}
    before = ada.report(groupBy="workItem").body
    made = ada.http.send("GET", "reports/month", token=ada.token, params=asked, headers=headers).body

    assert hidden.status == 404
    assert before["titles"] == {"shown": 0, "hidden": 0, "notAsked": 1}
    assert made["rows"][0]["workItem"]["title"] == TITLE


def test_many_readings_are_removed_in_batches(engine, ada, tenant_id, record_statements):
    with engine.begin() as tx:
        [known] = {
            tuple(row)
            for row in tx.execute(
                sa.select(work_item_readers.c.user_id, work_item_readers.c.organization_id).where(
                    work_item_readers.c.tenant_id == tenant_id
                )
            )
        }
        old = {"tenant_id": tenant_id, "user_id": known[0], "organization_id": known[1], "read_on": dt.date(2026, 1, 1)}
        tx.execute(work_item_readers.insert(), [{**old, "work_item_id": 10_000 + n} for n in range(2 * BATCH)])
    with record_statements() as sent:
        found = clean(engine, tenant_id, dt.datetime(2026, 11, 24, tzinfo=dt.UTC))

    assert found == (0, 2 * BATCH, 2 * BATCH)
    assert len([text for text in sent if text.startswith("DELETE FROM work_item_readers")]) == 3
    assert readings(engine, ada) == [BUG, SECRET]
