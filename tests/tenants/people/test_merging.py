"""An unclaimed invitation is merged into a person: nothing is lost or counted twice."""

import datetime as dt
import uuid

import pytest
import sqlalchemy as sa

from shared.db.schema import tenants, timer_log, users, write_back_changes
from shared.tenancy.store import find_caller
from shared.work import Actor, Work
from tenants.invitations.jobs import end_all_invitations
from tests.privacy.erasure.test_person import ask, erase_due
from tests.tenants.people.test_people import actions, add, me
from timers.entries import service as entries_service
from timers.entries.free_time_rules import TimeRange
from timers.entries.service import ManualEntry


@pytest.fixture
def split(world, clock):
    """A tenant whose admin entered time for an invitation, and the person, who came by another name."""
    ada = world.tenant()
    ada.patch("tenant", {"writeBack": True}, version=ada.get("tenant").body["version"])
    invited = add(ada, {"email": "ben@contoso.example", "displayName": "Ben", "role": "admin"}).body["results"][0][
        "user"
    ]
    ada.enter(userId=invited["id"], note="by Ada")
    ada.enter("2026-11-19T22:00:00Z", "2026-11-20T02:00:00Z", userId=invited["id"], workItemId=7)
    gone = ada.enter("2026-11-18T09:00:00Z", "2026-11-18T10:00:00Z", userId=invited["id"])
    assert ada.remove(gone).status == 204
    ben = world.member(ada, name="Ben", email="ben.okafor@contoso.example")
    ben.enter("2026-11-17T09:00:00Z", "2026-11-17T12:00:00Z")
    clock.tick(minutes=1)
    return ada, ben, invited["id"]


def merge(admin, invitation, person):
    return admin.post(f"users/{invitation}/merge", {"into": person if isinstance(person, str) else me(person)})


def sums(admin):
    report = admin.report(groupBy="project,workItem").body
    return report["totalMs"], [{key: row[key] for key in ("elapsedMs", "workItem")} for row in report["rows"]]


def changes(engine):
    with engine.connect() as connection:
        return connection.execute(sa.select(write_back_changes).order_by(write_back_changes.c.id)).all()


def test_the_person_gets_the_time_of_the_invitation_and_every_total_stays(split, engine):
    ada, ben, invitation = split
    before, sent = sums(ada), changes(engine)
    merged = merge(ada, invitation, ben)
    entries = ben.entries()
    [row] = [each for each in ada.report(groupBy="user").body["rows"] if each["user"]["id"] == me(ben)]

    assert (merged.status, merged.body["id"]) == (200, me(ben))
    assert (sums(ada), changes(engine)) == (before, sent)
    assert row["elapsedMs"] == 8 * 3_600_000
    assert [each["version"] for each in entries] == [2, 2, 1]
    assert ada.get(f"users/{invitation}").status == 404
    assert ada.report(user=invitation).status == 404
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 2
    assert actions(ada)[:2] == ["user.merged", "user.merged"]


def test_the_log_keeps_its_rows_and_shows_them_as_the_persons(split, engine):
    ada, ben, invitation = split
    with engine.connect() as connection:
        before = connection.execute(sa.select(timer_log).order_by(timer_log.c.id)).all()
    merge(ada, invitation, ben)
    with engine.connect() as connection:
        after = connection.execute(sa.select(timer_log).order_by(timer_log.c.id)).all()
    log = ada.log()

    assert after[: len(before)] == before
    assert [(row["event"], row["userId"], row["actorId"]) for row in log[:2]] == [("corrected", me(ben), me(ada))] * 2
    assert {row["userId"] for row in log} == {me(ben)}
    assert log[0]["before"]["elapsedMs"] == log[0]["after"]["elapsedMs"]


def test_a_moved_entry_is_the_persons_to_correct_and_to_delete(split):
    ada, ben, invitation = split
    merge(ada, invitation, ben)
    [first, second, _] = ben.entries()
    corrected = ben.patch(f"entries/{first['id']}", {"note": "mine", "reason": "x"}, version=first["version"])

    assert (corrected.status, corrected.body["version"]) == (200, 3)
    assert ben.delete(f"entries/{second['id']}", version=second["version"], reason="by mistake").status == 204


def test_accounts_that_people_have_signed_in_with_cannot_be_merged(world):
    ada = world.tenant()
    ben, twin = (world.member(ada, name="Ben", email="ben@contoso.example") for _ in range(2))
    ben.enter()
    refused = merge(ada, me(twin), ben)

    assert (refused.status, refused.code) == (409, "invitation_claimed")
    assert len(ben.entries()) == 1
    short = {user.get("shortId") for user in ada.get("users").body["items"]}
    assert short == {None, me(ben)[:8], me(twin)[:8]}


def test_an_invitation_is_merged_into_a_person_and_not_into_another_invitation(split, world):
    ada, ben, invitation = split
    [other] = add(ada, "chloe@contoso.example").body["results"]
    answers = [
        merge(ada, invitation, other["user"]["id"]),
        merge(ada, invitation, invitation),
        merge(ada, me(ben), me(ben)),
        merge(ada, invitation, me(world.tenant())),
        merge(world.tenant(), invitation, me(ben)),
    ]

    assert [answer.code for answer in answers] == [
        "not_joined",
        "not_joined",
        "invitation_claimed",
        "not_found",
        "not_found",
    ]
    assert len(ada.entries(user=invitation)) == 2


def test_a_second_merge_finds_nothing_to_do(split):
    ada, ben, invitation = split
    answers = [merge(ada, invitation, ben), merge(ada, invitation, ben)]

    assert [answer.status for answer in answers] == [200, 404]
    assert len(ben.entries()) == 3
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 2


def test_an_expired_invitation_is_merged_without_giving_its_seat_back_twice(split, app, world, clock):
    ada, ben, invitation = split
    clock.tick(days=14)
    assert end_all_invitations(app).changed >= 1
    assert end_all_invitations(app).changed == 0
    ada = world.renew_token(ada)
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 2
    merged = merge(ada, invitation, world.renew_token(ben))

    assert merged.status == 200
    assert ada.post("sign-in").body["tenant"]["seatsUsed"] == 2


def test_nothing_is_merged_into_a_person_with_restricted_data(split):
    ada, ben, invitation = split
    assert ben.patch("privacy", {"restricted": True}).status == 200
    refused = merge(ada, invitation, ben)

    assert (refused.status, refused.code) == (403, "processing_restricted")
    assert len(ada.entries(user=invitation)) == 2


def test_a_restriction_includes_merged_invitations(split):
    ada, ben, invitation = split
    merge(ada, invitation, ben)
    ben.patch("privacy", {"restricted": True})

    assert ada.log() == []
    assert ada.entries() == []


def test_the_export_of_the_person_has_the_log_rows_of_the_invitation(split):
    ada, ben, invitation = split
    merge(ada, invitation, ben)
    sections = ben.get("privacy/export").body["sections"]

    assert {row["id"] for row in sections["account"]["rows"]} >= {me(ben), invitation}
    assert len(sections["timerLog"]["rows"]) == len(ada.log())


def test_an_erasure_of_the_person_includes_the_invitation(split, app, clock, engine):
    ada, ben, invitation = split
    merge(ada, invitation, ben)
    assert ask(ben).status == 201
    assert erase_due(app, clock).changed == 1
    with engine.connect() as connection:
        kept = connection.execute(
            sa.select(users.c.email, users.c.display_name, users.c.erased_at, users.c.public_id).where(
                users.c.tenant_id
                == sa.select(tenants.c.id).where(tenants.c.entra_tenant_id == uuid.UUID(ada.tid)).scalar_subquery(),
                users.c.erased_at.is_not(None),
            )
        ).all()

    assert len(kept) == 2
    assert not [
        row for row in kept if "ben" in f"{row.email} {row.display_name}".lower() or str(row.public_id) == invitation
    ]


def test_time_added_during_a_merge_is_moved_later(split, app, clock):
    ada, ben, invitation = split
    merge(ada, invitation, ben)
    started = clock() - dt.timedelta(days=5)
    manual = ManualEntry("contoso", "Website", 7, TimeRange(started, started + dt.timedelta(hours=1)))
    with app.transaction() as tx:
        caller = find_caller(tx, tid=ada.tid, oid=ada.oid, lock=True)
        assert caller is not None
        owner = tx.scalar(sa.select(users.c.id).where(users.c.public_id == uuid.UUID(invitation)))
        work = Work(tx, caller.tenant, Actor.user(caller.user.id), clock(), app.new_id)
        late = entries_service.add(work, caller.user, manual, owner_id=owner).entry
    assert len(ben.entries()) == 3
    assert end_all_invitations(app).changed == 1

    assert ben.get(f"entries/{late.id}").body["version"] == 2
    assert [(row["event"], "actorId" in row) for row in ada.log()[:2]] == [("corrected", False), ("entered", True)]
