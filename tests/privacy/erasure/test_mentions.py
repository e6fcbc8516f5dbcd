"""Super admins list the mentions that an erasure would replace, and choose some to stay."""

import json
import uuid

import pytest
import sqlalchemy as sa

from privacy.erasure import flow as erasure_flow
from shared.db.schema import notices, tenants, users


NAME = "Grace Hopper"


def me(person):
    return person.get("me").body["id"]


@pytest.fixture
def three(world):
    """A super admin, a colleague with mentions of Grace in every kind of text, and Grace."""
    ada = world.tenant()
    ben, grace = world.member(ada), world.member(ada, name=NAME)
    entry = ben.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z", note=f"with {NAME}")
    ben.correct(entry, workItemId=8, reason=f"{NAME} said so")
    ben.start(9, note=f"waiting for {NAME}")
    grace.enter(note=f"by {NAME} herself")
    return ada, ben, grace


def ask(person):
    return person.post("privacy/erasure", {"confirm": person.email}).body["id"]


def choose(person, request, stays):
    body = {"items": [{"id": each, "stays": stay} for each, stay in stays.items()]}
    return person.patch(f"privacy/erasure/{request}/mentions", body)


def test_a_super_admin_lists_mentions_and_keeps_some(app, world, clock, three):
    ada, ben, grace = three
    request = ask(grace)
    shown = ada.get(f"privacy/erasure/{request}/mentions")
    items = shown.body["items"]
    by_section: dict[str, list[dict[str, object]]] = {}
    for each in items:
        by_section.setdefault(each["section"], []).append(each)
    entry, event = by_section["timeEntries"][0], by_section["timerLog"][-1]
    chosen = choose(ada, request, {entry["id"]: True, event["id"]: True})
    back = choose(ada, request, {event["id"]: False})
    clock.tick(days=3)
    erasure_flow.execute_due(app)
    ada, ben = world.renew_token(ada), world.renew_token(ben)
    [listed] = [row for row in ben.entries() if row.get("note")]
    late = ada.get(f"privacy/erasure/{request}/mentions")

    assert shown.body["isComplete"]
    assert {name: len(found) for name, found in by_section.items()} == {
        "timeEntries": 1,
        "timerLog": 2,  # the new entry and its correction
        "runningTimer": 1,
    }
    assert {each["userId"] for each in items} == {me(ben)}
    assert entry["at"] == "2026-11-19T09:00:00.000Z"
    assert NAME not in json.dumps(items)
    assert [each["stays"] for each in chosen.body["items"]].count(True) == 2
    assert [each["stays"] for each in back.body["items"]].count(True) == 1
    assert listed["note"] == f"with {NAME}"
    assert NAME not in json.dumps(ben.log())
    assert NAME not in ben.running().body["note"]
    assert (late.status, late.code) == (409, "request_state")
    actions = [row["action"] for row in ada.get("audit", pageSize="200").body["items"]]
    assert actions.count("erasure.mentions_chosen") == 2


def test_only_listed_mentions_of_the_own_organization_can_be_chosen(world, three):
    ada, ben, grace = three
    request = ask(grace)
    stranger = world.tenant()
    unknown = choose(ada, request, {"6e74172b-be56-4843-9ff4-e66a39bb12e3": True})

    assert (unknown.status, unknown.code) == (404, "not_found")
    assert stranger.get(f"privacy/erasure/{request}/mentions").status == 404
    assert (ben.get(f"privacy/erasure/{request}/mentions").status) == 403
    assert choose(grace, request, {"x": True}).status == 403


def test_the_date_is_hidden_for_a_person_with_stopped_processing(three):
    ada, ben, grace = three
    ben.patch("privacy", {"restricted": True})
    items = ada.get(f"privacy/erasure/{ask(grace)}/mentions").body["items"]

    assert items
    assert [each for each in items if "at" in each or "userId" in each] == []


def test_the_erasure_of_an_organization_has_no_mentions(three):
    ada, *_ = three
    slug = ada.get("tenant").body["slug"]
    request = ada.post("privacy/erasure", {"scope": "tenant", "confirm": slug}).body["id"]

    assert ada.get(f"privacy/erasure/{request}/mentions").body == {"items": [], "isComplete": True}


def test_super_admins_are_notified_of_an_erasure_and_of_an_export_of_the_organization(engine, three):
    ada, _, grace = three
    ask(grace)
    ask(grace)
    ada.get("privacy/export")
    ada.get("privacy/export", scope="tenant")
    with engine.connect() as tx:
        of_tenant = sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)).scalar_subquery()
        columns = (notices.c.kind, notices.c.subject_user_id, notices.c.actor_id, notices.c.details)
        found = tx.execute(sa.select(*columns).where(notices.c.tenant_id == of_tenant).order_by(notices.c.id)).all()
        people = {str(row.public_id): row.id for row in tx.execute(sa.select(users.c.public_id, users.c.id))}

    grace_row, ada_row = people[me(grace)], people[me(ada)]
    assert [(row.kind, row.subject_user_id, row.actor_id) for row in found] == [
        ("erasure_scheduled", grace_row, grace_row),
        ("tenant_exported", None, ada_row),
    ]
    assert found[0].details == {"scope": "person", "dueAt": "2026-11-26T09:00:00.000Z"}
