"""Corruptions that no client sees: unknown people, purchases, bills, usage, notes and write-backs."""

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
from tests.tools.chaos.corruptions import copy_row, find_entry


_LONG_AGO: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_ONE_HOUR: Final = 3_600_000


def add_colleague(tx: sa.Connection, user_id: int) -> int:
    """Adds an account with a seat and an audit row, but without a sign-in."""
    ids = {"public_id": new_id(), "entra_object_id": new_id(), "log_key": new_id()}
    mine = {**ids, "email": "x@example.com", "email_key": None}
    number: int = copy_row(tx, users, users.c.id == user_id, **mine)
    copy_row(tx, audit_log, audit_log.c.subject_user_id == user_id, subject_user_id=number, public_id=new_id())
    of_it = tenants.c.id == sa.select(users.c.tenant_id).where(users.c.id == user_id).scalar_subquery()
    tx.execute(tenants.update().where(of_it).values(seats_used=tenants.c.seats_used + 1))
    return number


def add_an_unknown_person(tx: sa.Connection) -> None:
    """Adds a person with an entry, its days and its log."""
    entry, public_id = find_entry(tx), new_id()
    owner = {"user_id": add_colleague(tx, entry.user_id)}
    number = copy_row(tx, time_entries, time_entries.c.id == entry.id, public_id=public_id, **owner)
    days = tx.execute(time_entry_days.select().where(time_entry_days.c.entry_id == entry.id)).all()
    tx.execute(time_entry_days.insert(), [{**day._mapping, "entry_id": number, **owner} for day in days])
    for event in ("started", "stopped"):
        where = sa.and_(timer_log.c.timer_id == entry.public_id, timer_log.c.event == event)
        copy_row(tx, timer_log, where, timer_id=public_id, actor_id=owner["user_id"], **owner)


def add_a_directory(tx: sa.Connection) -> None:
    ids = {"public_id": new_id(), "entra_tenant_id": new_id(), "log_key": new_id()}
    copy_row(tx, tenants, sa.true(), **ids, slug="unknown", seats_used=0)


def add_a_purchase(tx: sa.Connection) -> None:
    copy_row(tx, subscriptions, subscriptions.c.status == "unsubscribed", marketplace_id=new_id())


def move_purchases_to_another_directory(tx: sa.Connection) -> None:
    with_purchase = tenants.c.id.in_(sa.select(subscriptions.c.tenant_id))
    for row in tx.execute(tenants.select().where(with_purchase)).all():
        tx.execute(tenants.update().where(tenants.c.id == row.id).values(entra_tenant_id=new_id()))


def add_bill_line(tx: sa.Connection, **line: Any) -> None:  # noqa: ANN401 - columns
    """Copies a bill line with changes, with consistent totals."""
    has_lines = sa.exists().where(billing_lines.c.record_id == billing_records.c.id)
    record = tx.execute(billing_records.select().where(has_lines, billing_records.c.state == "closed").limit(1)).one()
    row = tx.execute(billing_lines.select().where(billing_lines.c.record_id == record.id).limit(1)).one()
    tx.execute(billing_lines.insert(), {**row._mapping, **line})
    more = {"active_users": record.active_users + 1, "total": record.rate_per_user * (record.active_users + 1)}
    tx.execute(billing_records.update().where(billing_records.c.id == record.id).values(more))


def bill_an_unknown_person(tx: sa.Connection) -> None:
    line = tx.execute(billing_lines.select().order_by(billing_lines.c.record_id).limit(1)).one()
    add_bill_line(tx, user_id=add_colleague(tx, line.user_id))


def bill_a_person_twice(tx: sa.Connection) -> None:
    """Bills a person also for a month before the first sign-in."""
    add_bill_line(tx, activity_month=202001)


def move_bills_to_the_past(tx: sa.Connection) -> None:
    tx.execute(billing_records.update().values(period_from=_LONG_AGO, period_to=_LONG_AGO + dt.timedelta(days=1)))


def change_the_hour_of_usage(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(slot=_LONG_AGO))


def change_the_dimension_of_usage(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(dimension="another"))


def change_the_plan_of_usage(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(plan_id="another"))


def change_an_entry(tx: sa.Connection, **values: object) -> None:
    """Changes the entry, not the log."""
    tx.execute(time_entries.update().where(time_entries.c.id == find_entry(tx).id).values(values))


def delete_a_note(tx: sa.Connection) -> None:
    change_an_entry(tx, note=None)


def set_a_review_flag(tx: sa.Connection) -> None:
    change_an_entry(tx, needs_review=True)


def change_a_source(tx: sa.Connection) -> None:
    change_an_entry(tx, source="autoStopped")


def change_a_zone(tx: sa.Connection) -> None:
    change_an_entry(tx, time_zone="Asia/Tokyo")


def delete_notes_of_a_person(tx: sa.Connection) -> None:
    """Deletes the notes in the entries and the log."""
    owner = find_entry(tx).user_id
    tx.execute(time_entries.update().where(time_entries.c.user_id == owner).values(note=None))
    rows = timer_log.select().where(timer_log.c.user_id == owner, timer_log.c.after_change.is_not(None))
    for row in tx.execute(rows).all():
        after = {**row.after_change, "note": None}
        tx.execute(timer_log.update().where(timer_log.c.id == row.id).values(after_change=after))


def change_existing_hours(tx: sa.Connection) -> None:
    """Changes the existing hours of one person's entries; the log has none."""
    owner = time_entries.c.user_id == find_entry(tx).user_id
    tx.execute(time_entries.update().where(owner).values(existing_hours=Decimal(77)))


def find_written_item(tx: sa.Connection) -> Any:  # noqa: ANN401 - a row
    """The first work item with written hours."""
    written = write_back_items.c.written > Decimal(0)
    return tx.execute(write_back_items.select().where(written).order_by(write_back_items.c.id).limit(1)).one()


def raise_written_hours(tx: sa.Connection) -> None:
    more = write_back_items.update().where(write_back_items.c.id == find_written_item(tx).id)
    tx.execute(more.values(written=write_back_items.c.written + Decimal(1)))


def add_settled_change(tx: sa.Connection, delta_ms: int) -> None:
    """Adds a settled change that is in no history of a work item."""
    item = find_written_item(tx)
    where = (
        write_back_changes.c.tenant_id == item.tenant_id,
        write_back_changes.c.organization_id == item.organization_id,
        write_back_changes.c.work_item_id == item.work_item_id,
    )
    copy_row(tx, write_back_changes, sa.and_(*where), public_id=new_id(), entry_id=new_id(), delta_ms=delta_ms)


def add_negative_change(tx: sa.Connection) -> None:
    add_settled_change(tx, -_ONE_HOUR)


def add_positive_change(tx: sa.Connection) -> None:
    add_settled_change(tx, _ONE_HOUR)
