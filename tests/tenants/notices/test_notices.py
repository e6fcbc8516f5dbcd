"""Super admins are notified of changes of super admins, purchases, exports and erasures."""

import datetime as dt
import uuid

import pytest

from shared.db.schema import users
from shared.notices import NoticeKind
from tenants.notices.rules import text_of


AT = dt.datetime(2026, 11, 30, 10, tzinfo=dt.UTC)


@pytest.fixture
def team(world):
    """Ada, super admin; Ben, user."""
    ada = world.tenant()
    return ada, world.member(ada, name="Ben Tool")


def kinds(person, **query):
    return [item["kind"] for item in person.get("notices", **query).body["items"]]


def me(person):
    return person.get("me").body["id"]


def test_super_admins_alone_are_notified_of_a_change_of_super_admins(team):
    ada, ben = team
    ada.patch(f"users/{me(ben)}", {"role": "admin"})
    assert kinds(ada) == []
    ada.patch(f"users/{me(ben)}", {"role": "super_admin"})
    page = ada.get("notices").body
    [notice] = page["items"]

    assert (notice["kind"], notice["text"]) == ("super_admin_added", "Ben Tool is a super admin now.")
    assert (notice["about"]["id"], notice["by"]["id"]) == (me(ben), me(ada))
    assert page["unseen"] == 1
    assert kinds(ben) == ["super_admin_added"]
    ada.patch(f"users/{me(ben)}", {"role": "user"})
    assert kinds(ada) == ["super_admin_removed", "super_admin_added"]
    assert (kinds(ben), ben.get("notices").body["unseen"]) == ([], 0)


def test_deactivating_and_reactivating_a_super_admin_is_notified(team):
    ada, ben = team
    ada.patch(f"users/{me(ben)}", {"role": "super_admin"})
    ben_id = me(ben)
    ada.post(f"users/{ben_id}/deactivate", {})
    ada.post(f"users/{ben_id}/deactivate", {})
    ada.post(f"users/{ben_id}/reactivate", {})

    assert kinds(ada) == ["super_admin_added", "super_admin_removed", "super_admin_added"]


def test_an_export_of_the_organization_is_notified_and_an_own_export_is_not(team):
    ada, ben = team
    ben.get("privacy/export")
    ada.get("privacy/export")
    assert kinds(ada) == []
    assert ada.get("privacy/export", scope="tenant").status == 200

    [notice] = ada.get("notices").body["items"]
    assert notice["kind"] == "tenant_exported"
    assert notice["text"].startswith("All data of your organization was exported to a file by ")


def test_a_scheduled_erasure_is_notified_with_its_day(team):
    ada, ben = team
    asked = ben.post("privacy/erasure", {"confirm": ben.get("me").body["email"]}).body
    [notice] = ada.get("notices").body["items"]

    assert notice["kind"] == "erasure_scheduled"
    assert notice["text"] == (
        f"The data of Ben Tool will be erased on {asked['scheduledFor'][:10]}. The erasure can be withdrawn until then."
    )


def test_each_reader_has_their_own_seen_and_dismissed_marks(team):
    ada, ben = team
    ada.patch(f"users/{me(ben)}", {"role": "super_admin"})
    ada.get("privacy/export", scope="tenant")
    newest, oldest = ada.get("notices").body["items"]
    seen = ada.post(f"notices/{newest['id']}/seen", {})
    again = ada.post(f"notices/{newest['id']}/seen", {})
    dismissed = ada.post(f"notices/{oldest['id']}/dismissed", {})
    twice = ada.post(f"notices/{oldest['id']}/dismissed", {})

    assert (seen.status, seen.body["seenAt"]) == (200, again.body["seenAt"])
    assert "dismissedAt" not in seen.body
    assert dismissed.body == twice.body
    assert dismissed.body["seenAt"] == dismissed.body["dismissedAt"]
    assert (kinds(ada), ada.get("notices").body["unseen"]) == (["tenant_exported"], 0)
    assert kinds(ada, includeDismissed="true") == ["tenant_exported", "super_admin_added"]
    assert (kinds(ben), ben.get("notices").body["unseen"]) == (["tenant_exported", "super_admin_added"], 2)


def test_pages_have_every_notice_once_when_one_is_dismissed_between_them(team):
    ada, ben = team
    for role in ("super_admin", "user") * 3:
        ada.patch(f"users/{me(ben)}", {"role": role})
    everything = [item["id"] for item in ada.get("notices").body["items"]]
    first = ada.get("notices", pageSize="2").body
    ada.post(f"notices/{first['items'][-1]['id']}/dismissed", {})
    found, link = [item["id"] for item in first["items"]], first.get("nextLink")
    while link:
        page = ada.http.send("GET", link.partition("/api/")[2], token=ada.token).body
        found += [item["id"] for item in page["items"]]
        link = page.get("nextLink")

    assert len(everything) == 6
    assert found == everything
    assert ada.get("notices", after="x").code == ada.get("notices", after=first["items"][0]["id"][::-1]).code


def test_a_notice_of_another_organization_or_role_is_not_found(team, world):
    ada, ben = team
    ada.get("privacy/export", scope="tenant")
    [notice] = ada.get("notices").body["items"]
    stranger = world.tenant()

    for person in (ben, stranger):
        for mark in ("seen", "dismissed"):
            answer = person.post(f"notices/{notice['id']}/{mark}", {})
            assert (answer.status, answer.code) == (404, "not_found")
    assert ada.post("notices/x/seen", {}).status == 404
    assert "seenAt" not in ada.get("notices").body["items"][0]


def test_a_person_with_restricted_data_is_not_named(team, engine):
    ada, ben = team
    ada.patch(f"users/{me(ben)}", {"role": "super_admin"})
    ada.patch(f"users/{me(ben)}", {"role": "user"})
    ben.patch("privacy", {"restricted": True})
    for notice in ada.get("notices").body["items"]:
        assert "Ben" not in notice["text"]
        assert "displayName" not in notice["about"]
    with engine.connect().execution_options(reads_only=True) as connection:
        own = users.c.entra_object_id == uuid.UUID(ben.oid)
        assert connection.execute(users.select().where(own)).one().restricted_at is not None


def test_a_restore_is_notified_with_its_times():
    lost = {"from": "2026-11-30T08:15:30.250Z", "to": "2026-11-30T09:45:00.000Z"}

    assert text_of(NoticeKind.DATABASE_RESTORED, lost, about=None, by=None, now=AT, is_by_person=False) == (
        "TimeTracker was restored from a backup. Changes made from 2026-11-30 08:15 to 2026-11-30 09:45 UTC may be "
        "missing. Check your time; admins, also check people and settings."
    )


def test_a_restore_with_an_unknown_beginning_is_notified_with_its_end():
    lost = {"from": None, "to": "2026-11-30T09:45:00.000Z"}

    assert text_of(NoticeKind.DATABASE_RESTORED, lost, about=None, by=None, now=AT, is_by_person=False) == (
        "TimeTracker was restored from a backup. Changes made before 2026-11-30 09:45 UTC may be missing. Check your "
        "time; admins, also check people and settings."
    )


def test_actions_of_operators_are_shown_as_the_vendors():
    def text(kind, details, **who):
        return text_of(kind, details, about="Ben Tool", now=AT, **who)

    exported = NoticeKind.TENANT_EXPORTED
    assert text(exported, {}, by=None, is_by_person=False).endswith(" exported to a file by the vendor.")
    assert text(exported, {}, by=None, is_by_person=True).endswith(" exported to a file.")
    assert text(exported, {}, by="Ada", is_by_person=True).endswith(" exported to a file by Ada.")
    added = NoticeKind.SUPER_ADMIN_ADDED
    by_vendor = "Ben Tool is a super admin now. The vendor of TimeTracker changed the role."
    assert text(added, {}, by=None, is_by_person=False) == by_vendor
    assert text(added, {"to": "super_admin"}, by=None, is_by_person=False) == "Ben Tool is a super admin now."
    assert text(added, {}, by="Ada", is_by_person=True) == "Ben Tool is a super admin now."


def test_the_text_of_an_erasure_is_in_the_past_tense_from_its_due_time_on(team, world, clock):
    ada, ben = team
    request = ada.post("privacy/erasure", {"user": me(ben), "confirm": ben.email}).body["id"]
    found = []
    for wait in ({}, {"days": 3, "seconds": -1}, {"seconds": 1}):
        clock.tick(**wait)
        [notice] = world.renew_token(ada).get("notices").body["items"]
        found.append(notice["text"])
    assert world.renew_token(ada).delete(f"privacy/erasure/{request}").status == 200  # no other test carries it out
    day = f"{clock():%Y-%m-%d}"
    coming = f"The data of Ben Tool will be erased on {day}. The erasure can be withdrawn until then."

    assert found == [coming, coming, f"The data of Ben Tool was due to be erased on {day}."]


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_has_a_text(kind, clock):
    details = {"scope": "tenant", "dueAt": "2026-12-03T10:00:00.000Z", "plan": "seats", "seats": 1}
    for known in (details, {}):
        text = text_of(kind, known, about=None, by=None, now=clock())
        assert text.endswith(".")
        assert "{" not in text
        assert text != kind
