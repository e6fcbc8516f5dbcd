"""Entries by hand: add, correct, confirm, delete. Every version stays in the timer log."""

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from shared import audit
from shared.audit import Action
from shared.errors import FieldError, InvalidRequest, NotFound
from shared.tenancy import people
from shared.tenancy.model import User
from shared.tenancy.organization_service import require_active
from shared.tenancy.rules import processing_restricted, require_processing, require_tracking
from shared.work import Work
from timers import days as rules
from timers.entries import change_service, free_time_service
from timers.entries.change_service import entry_changed
from timers.entries.free_time_rules import TimeRange
from timers.entries.free_time_service import DayDuration
from timers.entries.rules import MAX_LENGTH, clamp_to_now, require_times
from timers.entries.store import find_entry
from timers.model import EventKind, Source, TimeEntry, WorkItem
from timers.projects.service import resolve_work_item
from timers.projects.store import project_key


@dataclass(frozen=True, slots=True)
class ManualEntry:
    """Time on a work item that was not measured by a timer."""

    organization: str
    project: str
    work_item_id: int
    time: TimeRange | DayDuration
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """The new values of an entry; None keeps the old one. `confirms` ends the entry's review."""

    started_at: dt.datetime | None = None
    stopped_at: dt.datetime | None = None
    project: str | None = None
    work_item_id: int | None = None
    note: str | None = None
    clears_note: bool = False
    confirms: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChangedEntry:
    """An entry after a change; `is_adjustment` where the change is in a closed month."""

    entry: TimeEntry
    is_adjustment: bool = False


def find(work: Work, entry_id: uuid.UUID | None, *, everyone: bool, lock: bool = False) -> TimeEntry:
    """An entry that the caller may see; with `lock` nobody else changes it until the transaction ends.

    Raises:
        NotFound: there is no such entry, or the caller may not see it.
        Forbidden: the processing of its person's data is restricted.
    """
    entry = None if entry_id is None else find_entry(work.tx, work.tenant.id, entry_id, lock=lock)
    if entry is None:
        raise entry_not_found()
    require_visible(work, entry.user_id, everyone=everyone)
    return entry


def require_visible(work: Work, user_id: int, *, everyone: bool) -> None:
    """Requires that a person's entries are visible to the caller: their own, or with `everyone` all.

    Raises:
        NotFound, Forbidden: as `find`.
    """
    if user_id == work.actor.user_id:
        return
    if not everyone:
        raise entry_not_found()
    if people.is_restricted(work.tx, work.tenant.id, user_id):
        raise processing_restricted()


def entry_not_found() -> NotFound:
    return NotFound("There is no such time entry, or it is not yours. It may have been deleted.")


def add(work: Work, user: User, subject: ManualEntry, *, owner_id: int, date_field: str = "/date") -> ChangedEntry:
    """Adds an entry for the caller or, by an admin, for another person.

    An entry by duration takes free time of its day. `date_field` is the name of the date in the request.

    Raises:
        PaymentRequired: the plan does not allow new time.
        InvalidRequest: the organization is not an active one of the tenant, or the times are impossible.
        Conflict: the day has not enough free time.
    """
    tenant = work.tenant
    require_tracking(tenant, work.now)
    if owner_id == user.id:
        require_processing(user)
    require_active(work.tx, tenant, subject.organization)
    if isinstance(subject.time, DayDuration):
        time = free_time_service.find(work, owner_id, subject.time, field=date_field)
    else:
        time = _require_past(work, subject.time)
    item = resolve_work_item(work, subject.organization, subject.project, subject.work_item_id)
    entry = TimeEntry(
        id=work.new_id(),
        user_id=owner_id,
        work_item=item,
        started_at=time.started_at,
        stopped_at=time.stopped_at,
        elapsed_ms=rules.elapsed_ms(time.started_at, time.stopped_at),
        existing_hours=None,
        note=subject.note,
        source=Source.MANUAL,
        needs_review=False,
        time_zone=tenant.time_zone,
        end_inferred=False,
        version=1,
        days=rules.split(time.started_at, time.stopped_at, tenant.zone),
    )
    added = ChangedEntry(entry, change_service.add(work, entry, EventKind.ENTERED))
    _audit(work, Action.ENTRY_ADDED, added)
    return added


def correct(work: Work, old: TimeEntry, correction: Correction, *, versions: frozenset[int] | None) -> ChangedEntry:
    """Creates the next version of a locked entry; without a difference it stays as it is.

    Raises:
        PreconditionFailed: the entry has none of these versions.
        InvalidRequest: the reason is missing, or the times are impossible.
    """
    _require_version(old, versions)
    new = _apply(work, old, correction)
    if new == old:
        return ChangedEntry(old)
    confirmed = replace(old, needs_review=False, end_inferred=False)
    confirms = new == confirmed
    only_note = new in (replace(old, note=new.note), replace(confirmed, note=new.note))
    is_own_note = only_note and old.user_id == work.actor.user_id
    if correction.reason is None and not (confirms or is_own_note):
        raise _reason_required()
    kind = EventKind.CONFIRMED if confirms else EventKind.CORRECTED
    new = replace(new, version=old.version + 1)
    corrected = ChangedEntry(new, change_service.replace(work, old, new, kind, reason=correction.reason))
    _audit(work, Action.ENTRY_CONFIRMED if confirms else Action.ENTRY_CORRECTED, corrected)
    return corrected


def _reason_required() -> InvalidRequest:
    wrong = FieldError("/reason", "is required: 1 to 400 characters")
    return InvalidRequest(
        "Give a reason for the correction; the timer log keeps it.", code="invalid_body", errors=[wrong]
    )


def delete(work: Work, entry: TimeEntry, *, versions: frozenset[int] | None, reason: str) -> None:
    """Deletes a locked entry; the timer log keeps its last version.

    Raises:
        PreconditionFailed: the entry has none of these versions.
    """
    _require_version(entry, versions)
    deleted = ChangedEntry(entry, change_service.remove(work, entry, reason=reason))
    _audit(work, Action.ENTRY_DELETED, deleted)


def _require_past(work: Work, time: TimeRange) -> TimeRange:
    """The time of an entry by hand; the end may be now instead of up to two minutes ahead."""
    started_at, stopped_at = time.started_at, clamp_to_now(time.stopped_at, work.now)
    require_times(started_at, stopped_at, given=("startedAt", "stoppedAt"), now=work.now, max_length=MAX_LENGTH)
    return TimeRange(started_at, stopped_at)


def _apply(work: Work, old: TimeEntry, correction: Correction) -> TimeEntry:
    """The entry with the corrected values. Its source and its time zone never change."""
    new = replace(
        old,
        work_item=_work_item(work, old.work_item, correction),
        note=None if correction.clears_note else correction.note or old.note,
    )
    if correction.confirms and old.needs_review:
        new = replace(new, needs_review=False, end_inferred=False)
    started_at = correction.started_at or old.started_at
    stopped_at = old.stopped_at if correction.stopped_at is None else clamp_to_now(correction.stopped_at, work.now)
    if (started_at, stopped_at) == (old.started_at, old.stopped_at):
        return new
    times = {"startedAt": correction.started_at, "stoppedAt": correction.stopped_at}
    given = [name for name, instant in times.items() if instant is not None]
    max_length = max(MAX_LENGTH, old.stopped_at - old.started_at)
    require_times(started_at, stopped_at, given=given, now=work.now, max_length=max_length)
    return replace(
        new,
        started_at=started_at,
        stopped_at=stopped_at,
        elapsed_ms=rules.elapsed_ms(started_at, stopped_at),
        days=rules.split(started_at, stopped_at, ZoneInfo(old.time_zone)),
        needs_review=False,
        end_inferred=False,
    )


def _work_item(work: Work, old: WorkItem, correction: Correction) -> WorkItem:
    """The corrected work item, in the entry's own organization, also where that is no longer active."""
    number = correction.work_item_id or old.work_item_id
    if correction.project is None:
        return replace(old, work_item_id=number)
    if project_key(old.organization, correction.project) == project_key(old.organization, old.project):
        return replace(old, work_item_id=number)
    return resolve_work_item(work, old.organization, correction.project, number)


def _require_version(entry: TimeEntry, versions: frozenset[int] | None) -> None:
    if versions is not None and entry.version not in versions:
        raise entry_changed()


def _audit(work: Work, action: Action, changed: ChangedEntry) -> None:
    """Records a change of another person's time in the audit log; its content is in the timer log."""
    entry = changed.entry
    if entry.user_id == work.actor.user_id:
        return
    after = {"entryId": str(entry.id), "version": entry.version, "isAdjustment": changed.is_adjustment}
    audit.record(work, action, subject=entry.user_id, after=after)
