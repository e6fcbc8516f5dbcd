"""An erasure changes what is the person's, and mentions of them that they could not choose: whatever they call
themselves."""

import uuid

import pytest
import sqlalchemy as sa

from privacy import flow_erasure
from shared.db.schema import audit_log, organizations, tenants, time_entries, timer_log, users, work_items
from tests.support.hostile import NAMES
from tests.support.world import new_id


def erase(app, clock, person):
    person.post("privacy/erasure", {"confirm": person.email})
    clock.tick(days=3)
    assert flow_erasure.carry_out_due(app).changed == 1


def rename(person, name):
    renamed = person.patch("me", {"displayName": name})
    assert renamed.status in {200, 400}, renamed.raw
    return renamed.status == 200


@pytest.fixture
def ada(world):
    """A super admin with time of her own, of each kind that the log knows."""
    ada = world.tenant()
    ada.start(7, note="fix the bug in the timer")
    world.clock.tick(minutes=30)
    ada.stop()
    entry = ada.enter(note="manual check of 2026")
    ada.correct(entry, note="the id was wrong", reason="the user said so")
    return ada


def everything(person):
    """All that an admin sees of the time on record."""
    return person.log(), person.entries(), person.get("audit", pageSize="200").body["items"]


def others(rows, erased):
    """Without what the erased person did; ids of theirs change."""
    return [row for row in rows if erased not in {row.get("userId"), row.get("actorId"), row.get("subjectUserId")}]


@pytest.mark.parametrize("name", ["2026", "manual", "the", "id", "user", "true", "note", "UTC", "contoso"])
def test_whatever_somebody_is_called_their_erasure_changes_nothing_of_others(app, world, clock, ada, name):
    mal = world.member(ada)
    mals_id = mal.get("me").body["id"]
    rename(mal, name)
    log, entries, audit = everything(ada)
    erase(app, clock, mal)
    shown = world.again(ada).get("timer-log", pageSize="200")
    new_log, new_entries, new_audit = everything(world.again(ada))

    assert shown.status == 200
    assert new_log == log
    assert new_entries == entries
    assert [row for row in new_audit if row in audit] == others(audit, mals_id)


def test_a_colleagues_name_is_the_colleagues(app, world, clock, ada, engine):
    ben = world.member(ada, name="Ben Bitdiddle")
    mal = world.member(ada)
    rename(mal, "Ben Bitdiddle")
    noted = ada.enter("2026-11-19T09:00:00Z", "2026-11-19T10:00:00Z", note="with Ben Bitdiddle").body["id"]
    erase(app, clock, mal)
    ada = world.again(ada)

    assert [each["note"] for each in ada.entries() if each["id"] == noted] == ["with Ben Bitdiddle"]
    assert ben.name in {each["displayName"] for each in ada.get("users").body["items"]}
