"""After a restore no hour is written twice: the work item's history has the writes that the backup lacks."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from shared.db.schema import write_back_attempts, write_back_changes, write_back_items
from tests.support.installations import change as change_installation
from tests.support.installations import own
from tests.support.world import START, WORK_ITEM
from tests.timers.write_back.write_backs import BUG, add_entry, change, delete_entry, retry, run_timer, send


BEFORE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)  # before everything in the emulator, which has the real clock
AFTER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def ada(world, engine):
    with own(engine):
        ada = world.tenant()
        change(ada, writeBack=True)
        yield ada


@pytest.fixture
def restored(engine, ada):
    return RestoredTenant(engine, ada)


class RestoredTenant:
    """The write-back of the newest tenant in a restored database."""

    def __init__(self, engine, ada) -> None:
        self.engine, self.ada = engine, ada

    def _of(self, table):
        newest = sa.select(sa.func.max(write_back_changes.c.tenant_id)).scalar_subquery()
        return table.c.tenant_id == newest

    def forget_writes(self, *, items=True):
        """Removes the attempts, as in an earlier backup, and with `items` the work items too."""
        blank: dict[str, Any] = dict.fromkeys(("target_ms", "last_batch", "settled_batch", "last_attempt"), 0)
        blank |= dict.fromkeys(("written", "lowest", "short"), Decimal(0))
        blank |= {"last_revision": None, "last_seen": None, "short_batch": None}
        with self.engine.begin() as tx:
            tx.execute(write_back_attempts.delete().where(self._of(write_back_attempts)))
            changes, rows = write_back_changes, write_back_items
            tx.execute(changes.update().where(self._of(changes)).values(batch=None))
            if items:
                tx.execute(rows.delete().where(self._of(rows)))
            else:
                tx.execute(rows.update().where(self._of(rows)).values(**blank))

    def accept(self, *, epoch=4, restored_to=START, accepted_at=START):
        change_installation(self.engine, epoch=epoch, restored_to=restored_to, accepted_at=accepted_at)

    def item(self):
        with self.engine.connect() as tx:
            [row] = tx.execute(sa.select(write_back_items).where(self._of(write_back_items))).mappings()
        return row

    def attempts(self):
        made = sa.select(write_back_attempts).where(self._of(write_back_attempts))
        with self.engine.connect() as tx:
            rows = tx.execute(made.order_by(write_back_attempts.c.number)).mappings()
            return [(row["number"], row["state"], float(row["hours_after"] - row["hours_before"])) for row in rows]


@pytest.mark.parametrize("items", [True, False])
def test_hours_that_were_written_after_the_backup_are_not_written_again(ada, restored, clock, azure_devops, items):
    entry = run_timer(ada, clock, azure_devops.token()).body["id"]
    azure_devops.edit(BUG, Title="Another title")
    restored.forget_writes(items=items)
    restored.accept()
    retried = retry(ada, entry, azure_devops.token())

    assert retried.body["writeBack"] == "done"
    assert azure_devops.completed(BUG) == 4.0
    assert restored.attempts() == [(1, "landed", 0.5)]
    assert restored.item()["checked_epoch"] == 4


def test_without_an_accepted_restore_hours_are_written_twice(ada, restored, clock, azure_devops):
    """The fault itself: nothing else in the database shows that they were written."""
    entry = run_timer(ada, clock, azure_devops.token()).body["id"]
    restored.forget_writes()
    retry(ada, entry, azure_devops.token())

    assert azure_devops.completed(BUG) == 4.5


def test_hours_of_lost_entries_are_subtracted(ada, restored, clock, azure_devops):
    """Entered again, they are added once."""
    first = run_timer(ada, clock, azure_devops.token())
    second = run_timer(ada, clock, azure_devops.token(), minutes=60)
    delete_entry(ada, second.body, None)
    with_both = azure_devops.completed(BUG)
    restored.forget_writes()
    restored.accept()
    retry(ada, first.body["id"], azure_devops.token())
    taken_back = azure_devops.completed(BUG)
    add_entry(ada, azure_devops.token(), "09:00", "10:00")

    assert (with_both, taken_back, azure_devops.completed(BUG)) == (5.0, 4.0, 5.0)


def test_a_known_attempt_is_counted_once_and_its_number_is_not_reused(ada, restored, clock, azure_devops):
    entry = run_timer(ada, clock, azure_devops.token()).body["id"]
    restored.accept()
    run_timer(ada, clock, azure_devops.token())
    retry(ada, entry, azure_devops.token())

    assert azure_devops.completed(BUG) == 4.5
    assert restored.attempts() == [(1, "landed", 0.5), (2, "landed", 0.5)]


def test_the_history_is_checked_once(ada, restored, clock, azure_devops):
    run_timer(ada, clock, azure_devops.token())
    restored.accept()
    run_timer(ada, clock, azure_devops.token())
    before = azure_devops.hits("updates")
    run_timer(ada, clock, azure_devops.token())

    assert azure_devops.hits("updates") == before


def test_without_a_readable_history_nothing_is_sent(ada, restored, clock, azure_devops):
    run_timer(ada, clock, azure_devops.token())
    restored.accept()
    azure_devops.set_fault("updates", status=500)
    stopped = run_timer(ada, clock, azure_devops.token())
    unread = azure_devops.completed(BUG)
    azure_devops.clear_faults()
    retried = retry(ada, stopped.body["id"], azure_devops.token())

    assert (stopped.body["writeBack"], unread) == ("pending", 4.0)
    assert (retried.body["writeBack"], azure_devops.completed(BUG)) == ("done", 4.5)


@pytest.fixture
def busy(ada, restored, clock, azure_devops):
    """An item with written hours and 450 later changes by others; returns the entry's id."""
    entry = run_timer(ada, clock, azure_devops.token()).body["id"]
    for number in range(450):
        azure_devops.edit(BUG, Title=f"Title {number}")
    restored.forget_writes()
    return entry


def test_with_a_history_too_long_to_tell_nothing_is_sent(ada, busy, restored, azure_devops):
    restored.accept(restored_to=BEFORE)
    retried = retry(ada, busy, azure_devops.token())

    assert (retried.body["writeBack"], retried.body["writeBackReason"]) == ("failed", "not_verified")
    assert "Nothing was written" in retried.body["writeBackDetail"]
    assert azure_devops.completed(BUG) == 4.0
    assert restored.attempts() == []


def test_the_write_back_continues_after_a_person_has_compared(ada, busy, restored, azure_devops):
    restored.accept(restored_to=BEFORE)
    retry(ada, busy, azure_devops.token())
    azure_devops.edit(BUG, hours=3.5)
    path = f"work-items/contoso/{BUG}/write-back"
    page = send(ada, "POST", path, azure_devops.token(), {"trustWritten": True})

    assert (page.status, page.body["state"], page.body["writtenHours"]) == (200, "done", 0.5)
    assert azure_devops.completed(BUG) == 4.0


@pytest.mark.parametrize(("restored_to", "state"), [(AFTER, "done"), (BEFORE, "failed")])
def test_a_long_history_is_read_from_its_end_back_to_the_lost_time(restored, clock, azure_devops, restored_to, state):
    for number in range(450):
        azure_devops.edit(BUG, Title=f"Title {number}")
    entry = run_timer(restored.ada, clock, azure_devops.token()).body["id"]
    restored.forget_writes()
    restored.accept(restored_to=restored_to)
    retried = retry(restored.ada, entry, azure_devops.token())

    assert retried.body["writeBack"] == state
    assert azure_devops.completed(BUG) == 4.0


def test_an_older_restore_is_not_checked_by_the_newest_ones_time(ada, busy, restored, engine, azure_devops):
    retry(ada, busy, azure_devops.token())
    with engine.begin() as tx:
        tx.execute(write_back_items.update().values(checked_epoch=3, last_revision=None))
    restored.accept(epoch=5, restored_to=AFTER)
    add_entry(ada, azure_devops.token(), "09:00", "10:00")

    assert restored.item()["reason"] == "not_verified"


def test_an_item_that_is_new_long_after_a_restore_is_not_checked(ada, busy, restored, azure_devops):
    restored.accept(restored_to=BEFORE, accepted_at=START - dt.timedelta(days=31))
    retried = retry(ada, busy, azure_devops.token())

    assert retried.body["writeBack"] == "done"
    assert restored.item()["checked_epoch"] == 4


def test_while_the_database_is_held_only_the_write_back_waits(ada, engine, clock, azure_devops):
    change_installation(engine, held_since=START, held_reason="behind")
    stopped = run_timer(ada, clock, azure_devops.token())
    held = azure_devops.completed(BUG)
    change_installation(engine, held_since=None, held_reason=None)
    retried = retry(ada, stopped.body["id"], azure_devops.token())

    assert (stopped.status, stopped.body["writeBack"], held) == (200, "pending", 3.5)
    assert ada.start(BUG, **WORK_ITEM).status == 201
    assert (retried.body["writeBack"], azure_devops.completed(BUG)) == ("done", 4.0)
