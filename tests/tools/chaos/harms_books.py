"""Harm to what the fleet never asked for or never sees: strangers, purchases, bills, usage, words."""

import datetime as dt
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from shared.clock import new_id
from shared.db.schema import (
    audit_log,
    billing_lines,
    billing_records,
    subscriptions,
    tenants,
    time_entries,
    time_entry_days,
    timer_log,
    usage_events,
    users,
    write_back_changes,
    write_back_items,
)
from tests.tools.chaos.harms import an_entry, copied


_LONG_AGO: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_ONE_HOUR: Final = 3_600_000


def a_colleague_of(tx: sa.Connection, user_id: int) -> int:
    """An account beside somebody's, on a seat and on record; nobody ever signed in with it."""
    ids = {"public_id": new_id(), "entra_object_id": new_id(), "log_key": new_id()}
    mine = {**ids, "email": "x@example.com", "email_key": None}
    number: int = copied(tx, users, users.c.id == user_id, **mine)
    copied(tx, audit_log, audit_log.c.subject_user_id == user_id, subject_user_id=number, public_id=new_id())
    of_it = tenants.c.id == sa.select(users.c.tenant_id).where(users.c.id == user_id).scalar_subquery()
    tx.execute(tenants.update().where(of_it).values(seats_used=tenants.c.seats_used + 1))
    return number


def add_a_stranger(tx: sa.Connection) -> None:
    """With an entry, its days and its log."""
    entry, public_id = an_entry(tx), new_id()
    whose = {"user_id": a_colleague_of(tx, entry.user_id)}
    number = copied(tx, time_entries, time_entries.c.id == entry.id, public_id=public_id, **whose)
    days = tx.execute(time_entry_days.select().where(time_entry_days.c.entry_id == entry.id)).all()
    tx.execute(time_entry_days.insert(), [{**day._mapping, "entry_id": number, **whose} for day in days])
    for event in ("started", "stopped"):
        where = sa.and_(timer_log.c.timer_id == entry.public_id, timer_log.c.event == event)
        copied(tx, timer_log, where, timer_id=public_id, actor_id=whose["user_id"], **whose)


def add_a_directory(tx: sa.Connection) -> None:
    ids = {"public_id": new_id(), "entra_tenant_id": new_id(), "log_key": new_id()}
    copied(tx, tenants, sa.true(), **ids, slug="nobodys", seats_used=0)


def add_a_purchase(tx: sa.Connection) -> None:
    copied(tx, subscriptions, subscriptions.c.status == "unsubscribed", marketplace_id=new_id())


def give_the_purchases_to_others(tx: sa.Connection) -> None:
    bought = tenants.c.id.in_(sa.select(subscriptions.c.tenant_id))
    for row in tx.execute(tenants.select().where(bought)).all():
        tx.execute(tenants.update().where(tenants.c.id == row.id).values(entra_tenant_id=new_id()))


def bill_one_more(tx: sa.Connection, **line: Any) -> None:  # noqa: ANN401 - columns
    """A second line like the first of a bill, with all that must agree with it."""
    billed = sa.exists().where(billing_lines.c.record_id == billing_records.c.id)
    record = tx.execute(billing_records.select().where(billed, billing_records.c.state == "closed").limit(1)).one()
    row = tx.execute(billing_lines.select().where(billing_lines.c.record_id == record.id).limit(1)).one()
    tx.execute(billing_lines.insert(), {**row._mapping, **line})
    more = {"active_users": record.active_users + 1, "total": record.rate_per_user * (record.active_users + 1)}
    tx.execute(billing_records.update().where(billing_records.c.id == record.id).values(more))


def bill_a_stranger(tx: sa.Connection) -> None:
    billed = tx.execute(billing_lines.select().order_by(billing_lines.c.record_id).limit(1)).one()
    bill_one_more(tx, user_id=a_colleague_of(tx, billed.user_id))


def bill_somebody_twice(tx: sa.Connection) -> None:
    """On one bill, for a month before they came."""
    bill_one_more(tx, activity_month=202001)


def bill_for_what_was_long_ago(tx: sa.Connection) -> None:
    tx.execute(billing_records.update().values(period_from=_LONG_AGO, period_to=_LONG_AGO + dt.timedelta(days=1)))


def use_another_hour(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(slot=_LONG_AGO))


def use_another_dimension(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(dimension="another"))


def use_another_plan(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(plan_id="another"))


def change_an_entry(tx: sa.Connection, **values: object) -> None:
    """In the entry alone."""
    tx.execute(time_entries.update().where(time_entries.c.id == an_entry(tx).id).values(values))


def lose_a_note(tx: sa.Connection) -> None:
    change_an_entry(tx, note=None)


def ask_for_a_look(tx: sa.Connection) -> None:
    change_an_entry(tx, needs_review=True)


def change_a_source(tx: sa.Connection) -> None:
    change_an_entry(tx, source="autoStopped")


def change_a_zone(tx: sa.Connection) -> None:
    change_an_entry(tx, time_zone="Asia/Tokyo")


def lose_somebodys_notes(tx: sa.Connection) -> None:
    """In the entries and the log alike."""
    whose = an_entry(tx).user_id
    tx.execute(time_entries.update().where(time_entries.c.user_id == whose).values(note=None))
    rows = timer_log.select().where(timer_log.c.user_id == whose, timer_log.c.after_change.is_not(None))
    for row in tx.execute(rows).all():
        after = {**row.after_change, "note": None}
        tx.execute(timer_log.update().where(timer_log.c.id == row.id).values(after_change=after))


def change_the_hours_before(tx: sa.Connection) -> None:
    """Of one person's entries: no log has them."""
    whose = time_entries.c.user_id == an_entry(tx).user_id
    tx.execute(time_entries.update().where(whose).values(existing_hours=Decimal(77)))


def a_written_item(tx: sa.Connection) -> Any:  # noqa: ANN401 - a row
    """The first work item that hours were written to."""
    written = write_back_items.c.written > Decimal(0)
    return tx.execute(write_back_items.select().where(written).order_by(write_back_items.c.id).limit(1)).one()


def say_that_more_was_written(tx: sa.Connection) -> None:
    more = write_back_items.update().where(write_back_items.c.id == a_written_item(tx).id)
    tx.execute(more.values(written=write_back_items.c.written + Decimal(1)))


def change_beside(tx: sa.Connection, delta_ms: int) -> None:
    """A further change of a work item that counts as settled, and is in no work item's history."""
    item = a_written_item(tx)
    where = (
        write_back_changes.c.tenant_id == item.tenant_id,
        write_back_changes.c.organization_id == item.organization_id,
        write_back_changes.c.work_item_id == item.work_item_id,
    )
    copied(tx, write_back_changes, sa.and_(*where), public_id=new_id(), entry_id=new_id(), delta_ms=delta_ms)


def take_what_is_not_there(tx: sa.Connection) -> None:
    change_beside(tx, -_ONE_HOUR)


def owe_what_is_not_there(tx: sa.Connection) -> None:
    change_beside(tx, _ONE_HOUR)
