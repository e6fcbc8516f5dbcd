"""Sets the time of a person on a work item and a day, by adding, correcting and deleting entries."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.calendar import day_text
from shared.errors import Conflict, FieldError, InvalidRequest
from shared.tenancy import people
from shared.tenancy.model import Organization, User
from shared.tenancy.organization_service import require_active
from shared.tenancy.rules import require_processing, require_tracking
from shared.work import Work
from timers.entries import free_time_service
from timers.entries import service as entries_service
from timers.entries.free_time_service import DayDuration
from timers.entries.rules import MAX_LENGTH
from timers.entries.service import ChangedEntry, Correction, ManualEntry
from timers.model import TimeEntry
from timers.work_item_days import rules, store


_DATE: Final = "date"  # the parameter of the path


@dataclass(frozen=True, slots=True)
class WorkItemDay:
    """The wanted time on a work item and a day; `expected_ms` is the present one as the person saw it."""

    day: dt.date
    organization: Organization
    project: str
    work_item_id: int
    elapsed_ms: int
    expected_ms: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """The entries of the work item and the day after the change, by start, and the deleted ones."""

    entries: Sequence[ChangedEntry]
    deleted: Sequence[TimeEntry] = ()


def set_time(work: Work, user: User, wanted: WorkItemDay, *, owner_id: int) -> ChangedDay:
    """Changes entries until their sum on the day is the wanted time; the running timer is not part of it.

    Raises:
        Conflict: the present time differs from the expected one, or cannot be changed to the wanted one.
        InvalidRequest: the reason for less time is missing, or more time is for the future or a former organization.
        PaymentRequired: the plan does not allow new time.
    """
    if owner_id != user.id:  # the caller is locked already
        people.lock(work.tx, work.tenant.id, owner_id)
    entries = _lock_entries(work, wanted, owner_id)
    present_ms = sum(rules.time_on(entry, wanted.day) for entry in entries)
    if present_ms == wanted.elapsed_ms:  # also a repeat whose first response was lost
        return _changed(entries, {})
    if present_ms != wanted.expected_ms:
        raise Conflict(
            "Somebody has changed the time of this day. Check the present time and repeat your change.",
            code="day_changed",
            extra={"elapsedMs": present_ms},
        )
    if wanted.elapsed_ms < present_ms:
        return _reduce(work, wanted, entries, present_ms - wanted.elapsed_ms)
    return _increase(work, user, wanted, entries, wanted.elapsed_ms - present_ms, owner_id=owner_id)


def _lock_entries(work: Work, wanted: WorkItemDay, owner_id: int) -> list[TimeEntry]:
    entries = store.lock_entries(
        work.tx,
        work.tenant.id,
        owner_id,
        organization_id=wanted.organization.id,
        work_item_id=wanted.work_item_id,
        day=wanted.day,
    )
    if len(entries) > store.MAX_ENTRIES:
        raise Conflict(
            f"{day_text(wanted.day)} has more than {store.MAX_ENTRIES} entries on this work item. Correct or delete "
            "single entries.",
            code="too_many_entries",
        )
    return entries


def _reduce(work: Work, wanted: WorkItemDay, entries: list[TimeEntry], elapsed_ms: int) -> ChangedDay:
    if wanted.reason is None:
        wrong = FieldError("/reason", "is required: 1 to 400 characters")
        raise InvalidRequest(
            "Give a reason for less time; the timer log keeps it.", code="invalid_body", errors=[wrong]
        )
    reductions = rules.reduce(entries, wanted.day, elapsed_ms)
    if reductions is None:
        raise Conflict(
            f"An entry begins before {day_text(wanted.day)} and ends after it. Correct that entry directly.",
            code="entry_of_several_days",
        )
    deleted, corrected = [], {}
    for each in reductions:
        if each.deletes:
            entries_service.delete(work, each.entry, versions=None, reason=wanted.reason)
            deleted.append(each.entry)
        else:
            correction = Correction(started_at=each.started_at, stopped_at=each.stopped_at, reason=wanted.reason)
            corrected[each.entry] = entries_service.correct(work, each.entry, correction, versions=None)
    return _changed([each for each in entries if each not in deleted], corrected, deleted)


def _increase(
    work: Work, user: User, wanted: WorkItemDay, entries: list[TimeEntry], elapsed_ms: int, *, owner_id: int
) -> ChangedDay:
    """Extends an entry by hand if there is a reason for it and free time after it; otherwise adds an entry."""
    require_tracking(work.tenant, work.now)
    require_active(work.tx, work.tenant, wanted.organization.name)
    if owner_id == user.id:
        require_processing(user)
    if wanted.reason is not None:
        entry = _find_extendable(work, wanted, entries, elapsed_ms, owner_id)
        if entry is not None:
            stopped_at = entry.stopped_at + dt.timedelta(milliseconds=elapsed_ms)
            correction = Correction(stopped_at=stopped_at, reason=wanted.reason)
            return _changed(entries, {entry: entries_service.correct(work, entry, correction, versions=None)})
    time = DayDuration(wanted.day, elapsed_ms)
    new = ManualEntry(wanted.organization.name, wanted.project, wanted.work_item_id, time)
    added = entries_service.add(work, user, new, owner_id=owner_id, date_field=_DATE)
    return _changed([*entries, added.entry], {added.entry: added})


def _find_extendable(
    work: Work, wanted: WorkItemDay, entries: list[TimeEntry], elapsed_ms: int, owner_id: int
) -> TimeEntry | None:
    """The latest entry by hand that ends on the day and is followed by enough free time."""
    candidates = rules.find_extendable(entries, wanted.day, work.tenant.time_zone)
    if not candidates:
        return None
    free = free_time_service.read_free_times(work, owner_id, wanted.day, field=_DATE)
    more = dt.timedelta(milliseconds=elapsed_ms)
    for entry in candidates:
        has_free_time = any(each.started_at == entry.stopped_at and each.length >= more for each in free)
        if has_free_time and entry.stopped_at + more - entry.started_at <= MAX_LENGTH:
            return entry
    return None


def _changed(
    entries: Sequence[TimeEntry], changed: dict[TimeEntry, ChangedEntry], deleted: Sequence[TimeEntry] = ()
) -> ChangedDay:
    """The entries, with the changed ones in place of their former versions."""
    present = [changed.get(entry, ChangedEntry(entry)) for entry in entries]
    return ChangedDay(sorted(present, key=lambda each: each.entry.started_at), deleted)
