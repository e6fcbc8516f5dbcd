"""Corruptions of the database after a chaos run, made by hand."""

import datetime as dt
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from shared.clock import new_id
from shared.db.schema import (
    billing_lines,
    billing_records,
    idempotency_keys,
    running_timers,
    subscriptions,
    time_entries,
    time_entry_days,
    timer_log,
    usage_events,
    user_months,
    users,
    write_back_changes,
)


def find_entry(tx: sa.Connection) -> Any:  # noqa: ANN401 - a row
    """An entry of a timer, without corrections."""
    wanted = (time_entries.c.source == "timer", time_entries.c.version == 1, time_entries.c.elapsed_ms > 0)
    return tx.execute(time_entries.select().where(*wanted).limit(1)).one()


def delete_entry(tx: sa.Connection, entry: Any) -> None:  # noqa: ANN401 - a row
    tx.execute(time_entry_days.delete().where(time_entry_days.c.entry_id == entry.id))
    tx.execute(time_entries.delete().where(time_entries.c.id == entry.id))


def delete_an_entry(tx: sa.Connection) -> None:
    delete_entry(tx, find_entry(tx))


def delete_an_entry_and_its_log(tx: sa.Connection) -> None:
    entry = find_entry(tx)
    delete_entry(tx, entry)
    tx.execute(timer_log.delete().where(timer_log.c.timer_id == entry.public_id))


def copy_row(tx: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool], **changes: object) -> Any:  # noqa: ANN401 - a number
    """Copies a row with changes; returns the new id."""
    row = tx.execute(table.select().where(where).limit(1)).one()
    values = {name: value for name, value in row._mapping.items() if name != "id"}
    return tx.execute(table.insert().returning(table.c.id), {**values, **changes}).scalar_one()


def duplicate_an_entry(tx: sa.Connection) -> None:
    """Copies an entry with its days and its log, consistently."""
    entry, public_id = find_entry(tx), new_id()
    number = copy_row(tx, time_entries, time_entries.c.id == entry.id, public_id=public_id)
    days = tx.execute(time_entry_days.select().where(time_entry_days.c.entry_id == entry.id)).all()
    tx.execute(time_entry_days.insert(), [{**day._mapping, "entry_id": number} for day in days])
    for event in ("started", "stopped"):
        where = sa.and_(timer_log.c.timer_id == entry.public_id, timer_log.c.event == event)
        copy_row(tx, timer_log, where, timer_id=public_id)


def lengthen_an_entry(tx: sa.Connection) -> None:
    """Lengthens the entry, its day and its log by a minute."""
    entry = find_entry(tx)
    longer = entry.elapsed_ms + 60_000
    tx.execute(time_entries.update().where(time_entries.c.id == entry.id).values(elapsed_ms=longer))
    tx.execute(time_entry_days.update().where(time_entry_days.c.entry_id == entry.id).values(elapsed_ms=longer))
    where = (timer_log.c.timer_id == entry.public_id, timer_log.c.event == "stopped")
    row = tx.execute(timer_log.select().where(*where)).one()
    after = {**row.after_change, "elapsedMs": longer}
    tx.execute(timer_log.update().where(*where).values(elapsed_ms=longer, after_change=after))


def move_a_start(tx: sa.Connection) -> None:
    entry = find_entry(tx)
    where = (timer_log.c.timer_id == entry.public_id, timer_log.c.event == "started")
    earlier = entry.started_at.replace(microsecond=0)
    tx.execute(timer_log.update().where(*where).values(happened_at=earlier))


def add_a_start(tx: sa.Connection) -> None:
    """Adds a start to the log without a request."""
    entry = find_entry(tx)
    copy_row(
        tx,
        timer_log,
        sa.and_(timer_log.c.timer_id == entry.public_id, timer_log.c.event == "started"),
        timer_id=new_id(),
    )


def delete_running_timers(tx: sa.Connection) -> None:
    tx.execute(running_timers.delete())


def delete_stored_responses(tx: sa.Connection) -> None:
    tx.execute(idempotency_keys.delete().where(idempotency_keys.c.status == 200))


def duplicate_a_change(tx: sa.Connection) -> None:
    kept = write_back_changes.c.entry_id.in_(sa.select(time_entries.c.public_id))
    first = sa.select(sa.func.min(write_back_changes.c.id)).where(write_back_changes.c.delta_ms > 0, kept)
    copy_row(tx, write_back_changes, write_back_changes.c.id == first.scalar_subquery(), public_id=new_id())


def change_a_purchase(tx: sa.Connection) -> None:
    tx.execute(subscriptions.update().where(subscriptions.c.status == "unsubscribed").values(quantity=77))


def raise_the_usage(tx: sa.Connection) -> None:
    tx.execute(usage_events.update().values(quantity=usage_events.c.quantity + 1))


def move_entries_to_another_work_item(tx: sa.Connection) -> None:
    """Changes the entries and their days."""
    for table in (time_entries, time_entry_days):
        tx.execute(table.update().values(work_item_id=table.c.work_item_id + 1))


def move_log_to_another_work_item(tx: sa.Connection) -> None:
    tx.execute(timer_log.update().values(work_item_id=timer_log.c.work_item_id + 1))


def halve_an_entry(tx: sa.Connection) -> None:
    """Moves the end in the log to the middle of the entry."""
    where = (timer_log.c.event == "stopped", ~timer_log.c.reported_late, timer_log.c.elapsed_ms > 1)
    row = tx.execute(timer_log.select().where(*where, timer_log.c.entry_version == 1).limit(1)).one()
    half = row.elapsed_ms // 2
    middle = row.happened_at - dt.timedelta(milliseconds=row.elapsed_ms - half)
    after = {**row.after_change, "elapsedMs": half, "stoppedAt": middle.isoformat(timespec="milliseconds")}
    values = {"elapsed_ms": half, "happened_at": middle, "after_change": after}
    tx.execute(timer_log.update().where(timer_log.c.id == row.id).values(values))


def delete_bill_lines(tx: sa.Connection) -> None:
    """Deletes all lines, with consistent totals."""
    tx.execute(billing_lines.delete())
    tx.execute(billing_records.update().values(active_users=0, total=Decimal(0)))


def halve_the_rates(tx: sa.Connection) -> None:
    for row in tx.execute(billing_records.select()).all():
        halves = {"rate_per_user": row.rate_per_user / 2, "total": row.total / 2}
        tx.execute(billing_records.update().where(billing_records.c.id == row.id).values(halves))


def delete_months(tx: sa.Connection) -> None:
    tx.execute(user_months.delete())


def delete_sign_in_times(tx: sa.Connection) -> None:
    tx.execute(users.update().values(last_sign_in_at=None))
