"""Every way a time entry comes to be or changes: its rows and the log, in one transaction."""

import datetime as dt

import sqlalchemy as sa

from shared.errors import PreconditionFailed
from shared.tenancy.model import Tenant
from shared.tenancy.rules import month_key
from shared.tenancy.store import lock_tenant
from timers import store
from timers.entries import change_store
from timers.model import EventKind, TimeEntry, TimerEvent
from timers.write_back import store as write_back_store
from timers.write_back.store import item_of


def add(
    tx: sa.Connection,
    tenant: Tenant,
    entry: TimeEntry,
    kind: EventKind,
    *,
    actor_id: int | None,
    now: dt.datetime,
    reported_late: bool = False,
) -> bool:
    """Adds an entry: what a timer's end became (`stopped`), or what a person entered by hand (`entered`).

    True when it adjusts a month that is closed.
    """
    store.add_entry(tx, tenant.id, entry, now=now)
    if tenant.write_back:
        write_back_store.add_entry(tx, tenant.id, entry, now=now)
    happened_at = now if kind is EventKind.ENTERED else entry.stopped_at
    is_adjustment = _adjusts(tx, tenant, (entry,), now=now)
    event = TimerEvent(
        kind,
        entry.id,
        entry.user_id,
        actor_id,
        entry.work_item,
        happened_at=happened_at,
        received_at=now,
        entry_version=entry.version,
        elapsed_ms=entry.elapsed_ms,
        reported_late=reported_late,
        is_adjustment=is_adjustment,
        after=entry,
    )
    store.log(tx, tenant.id, event)
    return is_adjustment


def replace(
    tx: sa.Connection,
    tenant: Tenant,
    old: TimeEntry,
    new: TimeEntry,
    kind: EventKind,
    *,
    actor_id: int | None,
    now: dt.datetime,
    reason: str | None = None,
    reported_late: bool = False,
) -> bool:
    """Puts the next version of an entry in the place of `old`; True when it adjusts a month that is closed.

    Raises:
        PreconditionFailed: the entry is not `old` any more.
    """
    if not change_store.replace(tx, tenant.id, old, new, now=now):
        raise changed_meanwhile()
    _count_difference(tx, tenant, old, new, now=now)
    is_adjustment = old.days != new.days and _adjusts(tx, tenant, (old, new), now=now)
    event = TimerEvent(
        kind,
        new.id,
        new.user_id,
        actor_id,
        new.work_item,
        happened_at=new.stopped_at if reported_late else now,
        received_at=now,
        entry_version=new.version,
        elapsed_ms=new.elapsed_ms,
        reported_late=reported_late,
        reason=reason,
        is_adjustment=is_adjustment,
        before=old,
        after=new,
    )
    store.log(tx, tenant.id, event)
    return is_adjustment


def remove(
    tx: sa.Connection, tenant: Tenant, entry: TimeEntry, *, actor_id: int | None, now: dt.datetime, reason: str
) -> bool:
    """Takes an entry away; the log keeps its last version. True when that adjusts a month that is closed.

    Raises:
        PreconditionFailed: the entry is not this version any more.
    """
    if not change_store.remove(tx, tenant.id, entry):
        raise changed_meanwhile()
    _count_difference(tx, tenant, entry, None, now=now)
    is_adjustment = _adjusts(tx, tenant, (entry,), now=now)
    event = TimerEvent(
        EventKind.DELETED,
        entry.id,
        entry.user_id,
        actor_id,
        entry.work_item,
        happened_at=now,
        received_at=now,
        entry_version=entry.version + 1,
        elapsed_ms=entry.elapsed_ms,
        reason=reason,
        is_adjustment=is_adjustment,
        before=entry,
    )
    store.log(tx, tenant.id, event)
    return is_adjustment


def changed_meanwhile() -> PreconditionFailed:
    return PreconditionFailed("This entry was changed in the meantime. Read it again and repeat the correction.")


def _count_difference(
    tx: sa.Connection, tenant: Tenant, old: TimeEntry, new: TimeEntry | None, *, now: dt.datetime
) -> None:
    """Has the changes of an entry that counts add up to its time, whatever the switch says now.

    With the switch off nothing is sent, but what changed meanwhile must be known when it is on again.
    """
    if new is not None and new.elapsed_ms == old.elapsed_ms and item_of(new) == item_of(old):
        return
    counted = write_back_store.sums(tx, tenant.id, old.id)
    if not counted:
        return
    due = {} if new is None else {item_of(new): new.elapsed_ms}
    for item in sorted(counted.keys() | due.keys()):
        delta_ms = due.get(item, 0) - counted.get(item, 0)
        if delta_ms:
            write_back_store.add(tx, tenant.id, old, version=old.version + 1, on=item, delta_ms=delta_ms, now=now)


def _adjusts(tx: sa.Connection, tenant: Tenant, entries: tuple[TimeEntry, ...], *, now: dt.datetime) -> bool:
    """Whether a month of the entries is closed. A month closes with the tenant held: before this, or after it."""
    past = {month for entry in entries for month in _months(entry) if month < month_key(now, tenant)}
    if not past:
        return False
    lock_tenant(tx, tenant.id)
    return change_store.any_closed(tx, tenant.id, sorted(past))


def _months(entry: TimeEntry) -> list[int]:
    return sorted({piece.month_key for piece in entry.days})
