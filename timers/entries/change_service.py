"""Adds, replaces and deletes entries: their rows, their pending write-back and the timer log, in one transaction."""

from shared.calendar import Month
from shared.errors import PreconditionFailed
from shared.tenancy.store import lock_tenant
from shared.work import Work
from timers import store
from timers.entries import change_store
from timers.model import EventKind, TimeEntry, TimerEvent
from timers.write_back import store as write_back_store
from timers.write_back.store import item_of


def add(work: Work, entry: TimeEntry, kind: EventKind, *, reported_late: bool = False) -> bool:
    """Adds an entry of a timer (`stopped`) or one that a person entered by hand (`entered`).

    True when it adjusts a closed month.
    """
    tx, tenant = work.tx, work.tenant
    store.add_entry(tx, tenant.id, entry, now=work.now)
    if tenant.write_back:
        write_back_store.add_entry(tx, tenant.id, entry, now=work.now)
    is_adjustment = _adjusts_closed_month(work, entry)
    happened_at = work.now if kind is EventKind.ENTERED else entry.stopped_at
    event = TimerEvent.of(
        work,
        kind,
        after=entry,
        happened_at=happened_at,
        reported_late=reported_late,
        is_adjustment=is_adjustment,
    )
    store.append_event(tx, tenant.id, event)
    return is_adjustment


def replace(
    work: Work,
    old: TimeEntry,
    new: TimeEntry,
    kind: EventKind,
    *,
    reason: str | None = None,
    reported_late: bool = False,
) -> bool:
    """Replaces an entry by its next version; True when that adjusts a closed month.

    Raises:
        PreconditionFailed: `old` is no longer the current version.
    """
    if not change_store.replace(work.tx, work.tenant.id, old, new, now=work.now):
        raise entry_changed()
    _add_differences(work, old, new)
    is_adjustment = old.days != new.days and _adjusts_closed_month(work, old, new)
    event = TimerEvent.of(
        work,
        kind,
        before=old,
        after=new,
        happened_at=new.stopped_at if reported_late else work.now,
        reported_late=reported_late,
        reason=reason,
        is_adjustment=is_adjustment,
    )
    store.append_event(work.tx, work.tenant.id, event)
    return is_adjustment


def remove(work: Work, entry: TimeEntry, *, reason: str) -> bool:
    """Deletes an entry; the log keeps its last version. True when that adjusts a closed month.

    Raises:
        PreconditionFailed: `entry` is no longer the current version.
    """
    if not change_store.remove(work.tx, work.tenant.id, entry):
        raise entry_changed()
    _add_differences(work, entry, None)
    is_adjustment = _adjusts_closed_month(work, entry)
    event = TimerEvent.of(work, EventKind.DELETED, before=entry, reason=reason, is_adjustment=is_adjustment)
    store.append_event(work.tx, work.tenant.id, event)
    return is_adjustment


def entry_changed() -> PreconditionFailed:
    return PreconditionFailed("Someone changed this entry meanwhile. Read it again and repeat your change.")


def _add_differences(work: Work, old: TimeEntry, new: TimeEntry | None) -> None:
    """Adds changes to the write-back, so that the changes of an entry that counts always sum up to its time.

    Also while the write-back is off: nothing is sent then, but the target must be right when it is on again.
    """
    if new is not None and new.elapsed_ms == old.elapsed_ms and item_of(new) == item_of(old):
        return
    counted = write_back_store.sum_changes(work.tx, work.tenant.id, old.id)
    if not counted:
        return
    target = {} if new is None else {item_of(new): new.elapsed_ms}
    for item in sorted(counted.keys() | target.keys()):
        delta_ms = target.get(item, 0) - counted.get(item, 0)
        if delta_ms:
            write_back_store.add_change(
                work.tx, work.tenant.id, old, version=old.version + 1, item=item, delta_ms=delta_ms, now=work.now
            )


def _adjusts_closed_month(work: Work, *entries: TimeEntry) -> bool:
    """Whether a month of the entries is closed. Closing locks the tenant, so it is done before this or after it."""
    current = Month.of(work.now, work.tenant.zone)
    past = {piece.month for entry in entries for piece in entry.days if piece.month < current}
    if not past:
        return False
    lock_tenant(work.tx, work.tenant.id)
    return change_store.any_closed(work.tx, work.tenant.id, sorted(past))
