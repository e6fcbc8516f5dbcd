import io
import uuid

import pytest
import sqlalchemy as sa

from privacy.export import flow as export_flow
from privacy.export.service import ExportSubject
from shared.db.row_level_security import ALL_TENANTS
from shared.db.schema import users
from tests.support.exports import export
from tests.support.scan import find_columns
from tests.support.world import WORK_ITEM


def me(person):
    return person.get("me").body["id"]


def put(person, path, body):
    return person.http.send("PUT", path, body, token=person.token)


@pytest.fixture
def two(world, clock):
    """An admin, and a member with time, a correction, an action and a running timer."""
    ada = world.tenant()
    ben = world.member(ada)
    ben.start(7)
    clock.tick(hours=1)
    ben.stop()
    ada.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z")
    ben.post("actions", {"type": "page.open", "page": "/reports"})
    ada.post("actions", {"type": "page.open", "page": "/people"})
    ben.start(8)
    clock.tick(minutes=30)
    return ada, ben


@pytest.mark.parametrize("right", ["restricted", "objected", "consentWithdrawn"])
def test_while_a_right_is_in_force_nothing_new_is_tracked_and_a_stop_works(two, right):
    _, ben = two
    changed = ben.patch("privacy", {right: True})
    refused = [ben.start(9), ben.start(9, startedAt="2026-11-23T10:00:00Z"), ben.enter()]
    entitled = ben.post("sign-in").body["entitlements"]

    assert changed.body["processingStopped"]
    assert changed.body[{"restricted": "restrictedAt", "objected": "objectedAt"}.get(right, "consentWithdrawnAt")]
    assert [(each.status, each.code) for each in refused] == [(403, "processing_restricted")] * 3
    assert (entitled["canTrack"], entitled["reason"]) == (False, "processing_restricted")
    assert [(row["event"], row["elapsedMs"]) for row in ben.log()[:1]] == [("stopped", 1_800_000)]


def test_after_a_right_is_lifted_tracking_works_as_before(two):
    ada, ben = two
    before = ada.report(groupBy="user").body
    ben.patch("privacy", {"restricted": True, "objected": True})
    half = ben.patch("privacy", {"objected": False}).body
    lifted = ben.patch("privacy", {"restricted": False}).body

    assert (half["processingStopped"], lifted["processingStopped"]) == (True, False)
    assert ben.start(9).status == 201
    assert {row["user"]["email"] for row in ada.report(groupBy="user").body["rows"]} == {
        row["user"]["email"] for row in before["rows"]
    }


def test_while_a_right_is_in_force_only_the_person_sees_their_time(two):
    ada, ben = two
    ben_id, entry = me(ben), ben.entries()[0]["id"]
    ben.patch("privacy", {"restricted": True})
    hidden = [
        ada.get("entries"),
        ada.get("timer-log"),
        ada.get("timers"),
        ada.get("actions"),
        ada.report(groupBy="user"),
        ada.report(groupBy="user", format="csv"),
        ada.get("reports/week", week="2026-W48"),
        export(ada, scope="tenant"),
    ]
    refused = [
        ada.get("entries", user=ben_id),
        ada.get("timer-log", user=ben_id),
        ada.get("actions", user=ben_id),
        ada.report(user=ben_id),
        ada.get(f"entries/{entry}"),
        export(ada, user=ben_id),
        ada.post("entries", {**WORK_ITEM, **_HOUR, "userId": ben_id}),
    ]

    assert {answer.status for answer in hidden} == {200}
    assert not [answer.raw for answer in hidden if ben.email.encode() in answer.raw or ben_id.encode() in answer.raw]
    assert [(each.status, each.code) for each in refused] == [(403, "processing_restricted")] * len(refused)
    assert [user["id"] for user in ada.get("users").body["items"] if user["isRestricted"]] == [ben_id]
    assert len(ben.entries()) == 2
    assert ben.report().body["totalMs"] == 5_400_000
    assert export(ben).status == 200


def test_changes_to_restricted_time_are_hidden_also_from_their_admin_but_other_changes_are_not(two):
    ada, ben = two
    entry = ben.get("entries").body["items"][0]
    change = {"note": "by ada", "reason": "as agreed with him"}
    corrected = ada.patch(f"entries/{entry['id']}", change, version=entry["version"])
    settings = ada.get("tenant")
    ada.patch("tenant", {"name": "Contoso Ltd"}, version=settings.body["version"])
    before = export(ada).raw
    ben.patch("privacy", {"restricted": True})
    after, whole = export(ada).raw, export(ada, scope="tenant").raw

    assert corrected.status == 200
    assert b"as agreed with him" in before
    assert b"as agreed with him" not in after
    assert b"as agreed with him" not in whole
    assert b"tenant.changed" in whole
    assert b"as agreed with him" in export(ben).raw


def test_a_restricted_admin_sees_their_own_time(two):
    ada, _ = two
    ada.patch("privacy", {"objected": True})

    assert {row["user"]["email"] for row in ada.report(groupBy="user").body["rows"]} >= {ada.email}
    assert len(ada.entries()) == 2


def test_a_restricted_person_can_correct_their_time(two):
    _, ben = two
    ben.patch("privacy", {"restricted": True})
    entry = ben.get(f"entries/{ben.entries()[-1]['id']}")

    assert ben.correct(entry, note="now it is right").status == 200


def test_each_change_of_a_right_is_in_the_audit_log(two):
    ada, ben = two
    ben.patch("privacy", {"restricted": True})
    ben.patch("privacy", {"restricted": True})
    ben.patch("privacy", {"restricted": False})
    rows = [row for row in ada.get("audit").body["items"] if row["action"] == "right.changed"]

    assert [row["after"] for row in rows] == [
        {"right": "restriction", "status": "lifted"},
        {"right": "restriction", "status": "inForce"},
    ]


def by_operator(app, person):
    """An operator's export of the person."""
    out, row = io.BytesIO(), sa.select(users.c.tenant_id, users.c.id)
    with app.transaction(reads_only=True, tenant=ALL_TENANTS) as tx:
        found = tx.execute(row.where(users.c.public_id == uuid.UUID(person.get("me").body["id"]))).one()
    export_flow.write(app, ExportSubject(found.tenant_id, found.id, reader_id=found.id), out, as_zip=False)
    return out.getvalue()


def test_a_nominee_is_only_in_the_export_of_its_person(two, engine, app):
    ada, ben = two
    named = put(ben, "privacy/nominee", {"name": "Nominee Marker", "contact": "first@nominee.example"})
    again = put(ben, "privacy/nominee", {"name": "Nominee Marker", "contact": "second@nominee.example"})
    own = export(ben)
    others = [
        ben.get("privacy"),
        export(ada),
        export(ada, scope="tenant"),
        export(ada, user=ben.get("me").body["id"]),
    ]
    operators = by_operator(app, ben)
    kept = find_columns(engine, "second@nominee.example"), find_columns(engine, "first@nominee.example")
    removed = ben.delete("privacy/nominee"), ben.delete("privacy/nominee")

    assert (named.status, again.status) == (200, 200)
    assert [(row["name"], row["contact"]) for row in own.body["sections"]["nominee"]["rows"]] == [
        ("Nominee Marker", "second@nominee.example")
    ]
    assert others[0].body["nomineeNamedAt"]
    assert [answer.status for answer in others] == [200] * 4
    for raw in (*(answer.raw for answer in others), operators):
        assert b"Marker" not in raw
        assert b"nominee.example" not in raw
    assert kept == ({"nominees.contact"}, set())
    assert [each.status for each in removed] == [204, 204]
    assert find_columns(engine, "nominee.example") == set()


def test_an_empty_change_is_refused(two):
    _, ben = two

    assert ben.patch("privacy", {}).status == 400


_HOUR = {"startedAt": "2026-11-20T09:00:00Z", "stoppedAt": "2026-11-20T10:00:00Z"}
