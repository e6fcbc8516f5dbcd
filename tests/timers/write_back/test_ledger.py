"""Completed Work equals the entries: changed while off, netted, cut at 0, refused and retried."""

import uuid
from decimal import Decimal

import pytest
import sqlalchemy as sa

from devcloud.emulators.azure_devops.fields import COMPLETED, REMAINING
from shared import clock as real
from shared.db.schema import organizations, write_back_attempts, write_back_changes, write_back_items
from tests.support.world import WORK_ITEM
from tests.timers.write_back.write_backs import (
    BUG,
    STORY,
    TASK,
    add_entry,
    change,
    correct_entry,
    delete_entry,
    retry,
    send,
)


@pytest.fixture
def ada(world):
    ada = world.tenant()
    change(ada, writeBack=True)
    return ada


@pytest.fixture
def token(azure_devops):
    return azure_devops.token()


def test_changes_while_the_write_back_is_off_are_written_when_it_is_on_again(ada, azure_devops, token):
    """The status was done, and two deleted hours and a shortened entry stayed in Completed Work for ever."""
    azure_devops.edit(BUG, hours=0.0)
    gone, kept = add_entry(ada, token, "08:00", "10:00"), add_entry(ada, token, "12:00", "14:00")
    written = azure_devops.completed(BUG)
    change(ada, writeBack=False)
    delete_entry(ada, gone.body, token)
    shortened = correct_entry(ada, kept.body, token, stoppedAt="2026-11-20T12:30:00Z")
    change(ada, writeBack=True)
    stale = ada.get(f"entries/{kept.body['id']}").body
    retried = [retry(ada, gone.body["id"], token), retry(ada, kept.body["id"], token)]

    assert written == 4.0
    assert (shortened.body["writeBack"], shortened.body["writeBackReason"]) == ("pending", "write_back_off")
    assert shortened.body["writeBackHelp"] == "superAdmin"
    assert (stale["writeBack"], stale["writeBackReason"]) == ("pending", "not_sent")
    assert [each.status for each in retried] == [204, 200]
    assert retried[1].body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 0.5


def test_a_late_stop_while_the_write_back_is_off_is_written_too(ada, clock, azure_devops, token):
    """A forgotten timer was stopped by the service and written; its person sent the earlier end later."""
    timer = ada.start(BUG).body
    clock.tick(hours=3)
    switched = send(ada, "POST", "timers/start", token, {**WORK_ITEM, "workItemId": TASK, "switch": True}).body
    written = azure_devops.completed(BUG)
    change(ada, writeBack=False)
    late = ada.post("timers/stop", {"timerId": timer["id"], "stoppedAt": "2026-11-23T10:00:00Z"})
    change(ada, writeBack=True)
    retried = retry(ada, switched["stopped"]["id"], token)

    assert (written, late.status, late.body["elapsedMs"]) == (6.5, 200, 3_600_000)
    assert retried.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.5


def test_time_moved_from_an_item_that_refused_it_is_done_on_the_new_one(ada, azure_devops, token):
    """The entry stayed `failed` for ever because of its former work item."""
    refused = add_entry(ada, token, "13:00", "14:00", item=STORY)
    moved = correct_entry(ada, refused.body, token, workItemId=TASK)

    assert refused.body["writeBack"] == "noField"
    assert moved.body["writeBack"] == retry(ada, refused.body["id"], token).body["writeBack"] == "done"
    assert azure_devops.completed(TASK) == 7.25
    assert azure_devops.completed(STORY) is None


def test_time_on_a_missing_item_leaves_nothing_to_subtract(ada, token):
    """It was 409 `write_back_not_done`, though nothing was ever written."""
    lost = add_entry(ada, token, "13:00", "14:00", item=4711)
    delete_entry(ada, lost.body, token)
    retried = retry(ada, lost.body["id"], token)

    assert (lost.body["writeBack"], lost.body["writeBackReason"]) == ("failed", "work_item_not_found")
    assert lost.body["writeBackHelp"] == "somebodyElse"
    assert retried.status == 204


def test_hours_that_were_never_written_are_done_though_others_on_the_item_are_not(ada, token):
    """Together with another person's time on the same missing item."""
    stuck, lost, moved = (add_entry(ada, token, "13:00", f"13:{n}0", item=4711).body for n in (1, 2, 3))
    delete_entry(ada, lost, token)
    elsewhere = correct_entry(ada, moved, token, workItemId=TASK).body

    assert retry(ada, lost["id"], token).status == 204
    assert elsewhere["writeBack"] == "done"
    assert [each["id"] for each in ada.entries(writeBack="failed")] == [stuck["id"]]
    assert ada.entries(writeBack="pending") == []


def test_changes_that_cancel_out_are_never_sent(ada, azure_devops, token):
    """The history had `+1 h` and `-1 h` of an hour that was never written."""
    before = azure_devops.revision(BUG), azure_devops.hits("update")
    entry = ada.enter()
    ada.remove(entry)
    retried = retry(ada, entry.body["id"], token)

    assert retried.status == 204
    assert (azure_devops.revision(BUG), azure_devops.hits("update")) == before


def test_short_hours_are_shown_and_reduced_by_added_ones(ada, azure_devops, token):
    """A write that was cut at 0 counted as a complete one, so the entry had an hour too many."""
    azure_devops.edit(BUG, hours=0.75)
    entry = add_entry(ada, token, "15:00", "17:00")
    azure_devops.edit(BUG, hours=0.5)
    shorter = correct_entry(ada, entry.body, token, stoppedAt="2026-11-20T15:30:00Z")
    between = azure_devops.completed(BUG)
    longer = correct_entry(ada, shorter.body, token, stoppedAt="2026-11-20T17:00:00Z")

    assert (shorter.body["writeBack"], between) == ("short", 0)
    assert shorter.body["writeBackDetail"].startswith("1 h could not be subtracted")
    assert longer.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 0.5


def test_hours_that_others_add_later_are_subtracted_only_on_request(ada, azure_devops, token):
    azure_devops.edit(BUG, hours=0.0)
    entry = add_entry(ada, token, "15:00", "17:00")
    azure_devops.edit(BUG, hours=0.5)
    delete_entry(ada, entry.body, token)
    azure_devops.edit(BUG, hours=3.0)
    retry(ada, entry.body["id"], token)
    other = add_entry(ada, token, "08:00", "08:30")
    kept = azure_devops.completed(BUG), other.body["writeBack"]
    summary = send(ada, "GET", f"work-items/contoso/{BUG}/write-back", token).body
    requested = send(ada, "POST", f"work-items/contoso/{BUG}/write-back", token, {"takeMissing": True})

    assert kept == (3.0, "done")
    assert (summary["state"], summary["missingHours"]) == ("short", 1.0)
    assert (summary["targetHours"], summary["writtenHours"]) == (0.5, 1.5)
    assert (requested.status, requested.body["state"], "missingHours" in requested.body) == (200, "done", False)
    assert azure_devops.completed(BUG) == 2.0


def test_the_sum_is_rounded_and_not_each_entry(ada, azure_devops, token):
    azure_devops.edit(BUG, hours=0.0)
    for hour in (8, 9, 10):
        add_entry(ada, token, f"{hour:02}:00", f"{hour:02}:20")

    assert azure_devops.completed(BUG) == 1.0


def test_decimal_places_beyond_four_stay_as_they_are(ada, azure_devops, token):
    azure_devops.edit(BUG, hours=3.33333)
    add_entry(ada, token, "08:00", "08:30")

    assert azure_devops.completed(BUG) == 3.83333


def test_a_change_of_project_leaves_nothing_pending(ada, azure_devops, token):
    entry = add_entry(ada, token, "08:00", "09:00")
    revision = azure_devops.revision(BUG)
    moved = ada.correct(entry, project="Renamed")

    assert moved.body["writeBack"] == "done"
    assert azure_devops.revision(BUG) == revision


def test_one_persons_missing_permission_does_not_affect_the_next_person(ada, world, azure_devops, token):
    reader = azure_devops.token(read_only=["Website"])
    first = add_entry(ada, reader, "08:00", "09:00")
    bob = world.member(ada)
    waiting = bob.enter("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z").body
    before = azure_devops.completed(BUG)
    second = add_entry(bob, token, "12:00", "13:00")

    assert (first.body["writeBack"], first.body["writeBackReason"]) == ("failed", "azure_devops_forbidden")
    assert (waiting["writeBack"], waiting["writeBackReason"]) == ("pending", "not_sent")
    assert (before, second.body["writeBack"]) == (3.5, "done")
    assert azure_devops.completed(BUG) == 6.5
    assert {each["writeBack"] for each in ada.entries()} == {"done"}


def test_an_entry_of_no_time_counts_and_may_get_time_later(ada, clock, azure_devops, token):
    ada.start(BUG)
    empty = send(ada, "POST", "timers/stop", token)
    clock.tick(hours=1)
    longer = correct_entry(ada, empty.body, token, stoppedAt="2026-11-23T10:00:00Z")

    assert (empty.body["elapsedMs"], empty.body["writeBack"], longer.body["writeBack"]) == (0, "done", "done")
    assert azure_devops.completed(BUG) == 4.5


def test_the_history_names_hours_and_nobody(ada, azure_devops, token):
    add_entry(ada, token, "08:00", "08:30")
    lines = [each["fields"].get("System.History", {}).get("newValue") for each in azure_devops.updates(BUG)]

    assert [line.split(" (")[0] for line in lines if line] == ["TimeTracker: +0.5 h"]


def test_a_type_without_the_field_needs_nobody_and_is_read_once(ada, azure_devops, token):
    first = add_entry(ada, token, "08:00", "09:00", item=STORY).body
    retried = azure_devops.hits("update"), azure_devops.hits("type_fields")
    second = add_entry(ada, token, "10:00", "11:00", item=STORY).body

    assert [each["writeBack"] for each in (first, second)] == ["noField"] * 2
    assert (first["writeBackReason"], first["writeBackHelp"]) == ("no_field", "nobody")
    assert (azure_devops.hits("update"), azure_devops.hits("type_fields")) == retried


def test_an_inactive_organization_gets_nothing(ada, azure_devops, engine, token):
    waiting = ada.enter().body
    change(ada, azureDevOpsOrganization="fabrikam")
    with engine.begin() as tx:
        tx.execute(organizations.update().where(organizations.c.name_key == "contoso").values(is_active=False))
    before = azure_devops.hits("work_item")
    retried = retry(ada, waiting["id"], token).body
    with engine.begin() as tx:
        tx.execute(organizations.update().values(is_active=True))

    assert (retried["writeBack"], retried["writeBackReason"]) == ("failed", "organization_inactive")
    assert azure_devops.hits("work_item") == before
    assert retry(ada, waiting["id"], token).body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.5


@pytest.fixture
def lowering(ada):
    change(ada, lowerRemainingWork=True)
    return ada


def remaining(azure_devops, number=BUG):
    return azure_devops.field(number, REMAINING)


def test_remaining_work_is_lowered_by_added_hours_and_raised_again(lowering, azure_devops, token):
    azure_devops.set(BUG, {REMAINING: 2})
    entry = add_entry(lowering, token, "08:00", "11:00")
    lowest = remaining(azure_devops)
    shorter = correct_entry(lowering, entry.body, token, stoppedAt="2026-11-20T10:00:00Z")
    given = remaining(azure_devops)
    delete_entry(lowering, shorter.body, token)

    assert (lowest, given) == (0, 1)
    assert remaining(azure_devops) == 2  # of three hours taken back, two were taken
    assert azure_devops.completed(BUG) == 3.5


def test_remaining_work_stays_if_it_is_off_absent_or_the_item_closed(ada, azure_devops, token):
    azure_devops.set(BUG, {REMAINING: 8})
    add_entry(ada, token, "06:00", "07:00")
    off = remaining(azure_devops)
    change(ada, lowerRemainingWork=True)
    azure_devops.set(BUG, {"System.State": "Closed"})
    add_entry(ada, token, "08:00", "09:00")
    add_entry(ada, token, "08:00", "09:00", item=TASK)

    assert (off, remaining(azure_devops), remaining(azure_devops, TASK)) == (8, 8, None)
    assert azure_devops.completed(BUG) == 5.5


def test_a_lost_response_lowers_remaining_work_once(lowering, azure_devops, token):
    azure_devops.set(BUG, {REMAINING: 5})
    azure_devops.set_fault("update", lost_answer=True, times=1)
    azure_devops.set_fault("updates", status=500)
    entry = add_entry(lowering, token, "08:00", "09:00").body
    azure_devops.clear_faults()

    assert entry["writeBack"] == "pending"
    assert retry(lowering, entry["id"], token).body["writeBack"] == "done"
    assert (azure_devops.completed(BUG), remaining(azure_devops)) == (4.5, 4)


def test_unwritten_entries_are_listed_with_the_reason_and_the_people_who_can_help(ada, azure_devops, token):
    done = add_entry(ada, token, "06:00", "07:00").body["id"]
    refused = add_entry(ada, token, "07:00", "08:00", item=STORY).body["id"]
    missing = add_entry(ada, token, "08:00", "09:00", item=4711).body["id"]
    waiting = ada.enter("2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z", workItemId=TASK).body["id"]
    azure_devops.set(BUG, {COMPLETED: 0.25})
    cut = correct_entry(ada, ada.get(f"entries/{done}").body, token, stoppedAt="2026-11-20T06:15:00Z").body["id"]
    lists = {
        state: [(each["id"], each["writeBack"], each["writeBackHelp"]) for each in ada.entries(writeBack=state)]
        for state in ("pending", "failed", "short", "noField")
    }

    assert lists == {
        "pending": [(waiting, "pending", "anybody")],
        "failed": [(missing, "failed", "somebodyElse")],
        "short": [(cut, "short", "anybody")],
        "noField": [(refused, "noField", "nobody")],
    }
    assert ada.get("entries", writeBack="done").status == 400


def test_the_write_back_of_a_work_item_shows_changes_by_others(ada, world, azure_devops, token):
    add_entry(ada, token, "08:00", "09:30")
    azure_devops.edit(BUG, hours=7.25)
    change(ada, writeBack=False)
    ada.enter()
    page = send(ada, "GET", f"work-items/contoso/{BUG}/write-back", token).body
    without = ada.get(f"work-items/contoso/{BUG}/write-back")
    bob = world.member(ada)

    assert page == {
        "organization": "contoso",
        "workItemId": BUG,
        "state": "done",
        "targetHours": 1.5,
        "writtenHours": 1.5,
        "shownHours": 7.25,
        "driftHours": 2.25,
        "notCounted": {"entries": 1, "elapsedMs": 3_600_000},
    }
    assert "shownHours" not in without.body
    assert bob.get(f"work-items/contoso/{BUG}/write-back").code == "azure_devops_sign_in_required"
    assert send(ada, "GET", "work-items/elsewhere/1/write-back", token).status == 404


def test_hours_of_a_claimed_item_are_left_to_the_holder_of_the_claim(ada, azure_devops, engine, clock, token):
    add_entry(ada, token, "08:00", "09:00")
    with engine.begin() as tx:
        tx.execute(
            write_back_items.update().values(claim_id=sa.text("public_id"), claimed_until=clock.tick(seconds=60))
        )
    clock.tick(seconds=-60)
    second = add_entry(ada, token, "10:00", "11:00").body
    before = azure_devops.completed(BUG)
    clock.tick(seconds=61)

    assert (second["writeBack"], second["writeBackReason"], before) == ("pending", "not_sent", 4.5)
    assert retry(ada, second["id"], token).body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 5.5


def test_an_attempt_is_recorded_before_it_is_sent_and_at_most_one_is_open(ada, azure_devops, engine, token):
    azure_devops.set_fault("update", cut=True)
    azure_devops.set_fault("updates", status=500)
    entry = add_entry(ada, token, "08:00", "09:00").body
    add_entry(ada, token, "10:00", "11:00")
    with engine.connect() as tx:
        mine = sa.select(write_back_attempts.c.state).join(
            write_back_items, write_back_items.c.id == write_back_attempts.c.item_id
        )
        item = sa.select(write_back_changes.c.tenant_id).where(
            write_back_changes.c.entry_id == sa.bindparam("entry", type_=sa.Uuid(as_uuid=False))
        )
        tenant = tx.execute(item, {"entry": entry["id"]}).scalar_one()
        states = tx.scalars(mine.where(write_back_items.c.tenant_id == tenant)).all()
    azure_devops.clear_faults()

    assert states == ["open"]
    assert retry(ada, entry["id"], token).body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 5.5


@pytest.mark.parametrize("landed", [True, False])
def test_writes_from_before_the_ledger_are_looked_up_before_the_first_send(ada, azure_devops, engine, token, landed):
    entry, marks = ada.enter().body, [real.new_id(), real.new_id()]
    before = azure_devops.revision(BUG)
    if landed:
        azure_devops.set(BUG, {COMPLETED: 4.5, "System.History": f"TimeTracker: +1 h ({marks[1].hex})"})
    with engine.begin() as tx:
        where = write_back_changes.c.entry_id == uuid.UUID(entry["id"])
        change = tx.execute(write_back_changes.select().where(where)).one()
        item = {
            **{name: getattr(change, name) for name in ("tenant_id", "organization_id", "work_item_id")},
            **dict.fromkeys(("written", "migrated", "lowest", "short", "remaining_taken"), Decimal(0)),
            "target_ms": 0,
            "last_batch": 1,
            "settled_batch": 1,
            "last_attempt": 2,
            "state": "pending",
            "reason": "not_sent",
            "public_id": real.new_id(),
            "updated_at": real.now(),
        }
        item_id = tx.execute(write_back_items.insert().returning(write_back_items.c.id), item).scalar_one()
        for number, mark in enumerate(marks, 1):
            attempt = {"tenant_id": change.tenant_id, "item_id": item_id, "number": number, "revision": before}
            hours = {"hours_before": Decimal("3.5"), "hours_after": Decimal("4.5"), "short_after": Decimal(0)}
            rest = {"batch": 0, "legacy_mark": mark, "state": "open", "created_at": real.now()}
            tx.execute(write_back_attempts.insert(), {**attempt, **hours, **rest})
    retried = retry(ada, entry["id"], token).body
    with engine.connect() as tx:
        of_item = sa.select(write_back_attempts.c.state).where(write_back_attempts.c.item_id == item_id)
        states = sorted(tx.scalars(of_item))

    assert retried["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.5
    assert states == ["landed", "lost"]


@pytest.mark.parametrize("landed", [True, False])
def test_a_write_from_before_the_ledger_that_was_cut_at_zero_subtracts_no_later_hours(
    ada, azure_devops, engine, token, landed
):
    """Two hours were subtracted from half an hour, the response was lost, and a colleague added three hours."""
    azure_devops.edit(BUG, hours=0.0)
    entry = add_entry(ada, token, "08:00", "10:00").body
    azure_devops.edit(BUG, hours=0.5)
    ada.delete(f"entries/{entry['id']}", version=entry["version"], reason="wrong")
    mark, before = real.new_id(), azure_devops.revision(BUG)
    if landed:
        azure_devops.set(BUG, {COMPLETED: 0, "System.History": f"TimeTracker: -2 h ({mark.hex})"})
        azure_devops.edit(BUG, hours=3.0)
    with engine.begin() as tx:
        of_entry = sa.select(write_back_changes).where(write_back_changes.c.entry_id == uuid.UUID(entry["id"]))
        [first, *_] = tx.execute(of_entry)
        place = [
            getattr(write_back_items.c, name) == getattr(first, name)
            for name in ("tenant_id", "organization_id", "work_item_id")
        ]
        tx.execute(write_back_items.update().where(*place).values(migrated=Decimal(2), last_attempt=2))
        item_id = tx.execute(sa.select(write_back_items.c.id).where(*place)).scalar_one()
        tx.execute(write_back_attempts.delete().where(write_back_attempts.c.item_id == item_id))
        attempt = {"tenant_id": first.tenant_id, "item_id": item_id, "number": 2, "revision": before}
        hours = {"hours_before": Decimal("0.5"), "hours_after": Decimal(0), "short_after": Decimal("1.5")}
        rest = {"batch": 0, "legacy_mark": mark, "state": "open", "created_at": real.now()}
        tx.execute(write_back_attempts.insert(), {**attempt, **hours, **rest})
    retried = retry(ada, entry["id"], token)
    if not landed:
        azure_devops.edit(BUG, hours=3.0)
        retried = retry(ada, entry["id"], token)
    page = send(ada, "GET", f"work-items/contoso/{BUG}/write-back", token).body

    assert retried.status == 204
    assert azure_devops.completed(BUG) == 3.0
    assert (page["state"], page["missingHours"], page["targetHours"], page["writtenHours"]) == ("short", 1.5, 0.0, 1.5)


def test_a_moved_entry_names_the_work_item_with_the_problem(ada, azure_devops, token):
    """A missing permission for one item was shown for the other one, which was done."""
    entry = add_entry(ada, token, "08:00", "09:00").body
    change(ada, writeBack=False)
    moved = correct_entry(ada, entry, token, workItemId=TASK).body
    change(ada, writeBack=True)
    azure_devops.set_fault("update", status=403, body="{}", headers={"Content-Type": "application/json"}, times=1)
    refused = retry(ada, moved["id"], token).body
    azure_devops.clear_faults()

    assert (refused["workItemId"], refused["writeBack"]) == (TASK, "failed")
    assert refused["writeBackDetail"].startswith(f"Work item {BUG}: ")
    assert azure_devops.completed(TASK) == 7.25


def test_time_added_and_removed_after_a_cut_subtracts_no_later_hours(ada, azure_devops, token):
    """Short hours were reduced by it, and subtracted from a colleague's when it was deleted."""
    azure_devops.edit(BUG, hours=0.0)
    entry = add_entry(ada, token, "08:00", "10:00").body
    azure_devops.edit(BUG, hours=0.5)
    delete_entry(ada, entry, token)
    azure_devops.edit(BUG, hours=3.0)
    more = add_entry(ada, token, "10:00", "12:00").body
    between = azure_devops.completed(BUG)
    delete_entry(ada, more, token)
    page = send(ada, "GET", f"work-items/contoso/{BUG}/write-back", token).body

    assert (more["writeBack"], between, azure_devops.completed(BUG)) == ("done", 3.5, 3.0)
    assert (page["state"], page["missingHours"], page["writtenHours"]) == ("short", 1.5, 1.5)
