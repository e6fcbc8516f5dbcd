"""Entries by hand: add, correct, confirm, delete. Every version stays in the timer log."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from shared import audit
from shared.audit import Action
from shared.errors import FieldError, InvalidRequest, NotFound
from shared.tenancy.model import Caller
from shared.tenancy.organization_service import require_active
from shared.tenancy.rules import require_processing, require_tracking
from shared.work import Actor
from timers import days as rules
from timers.access import may_see
from timers.entries import changes, list_store
from timers.entries.rules import LONGEST, not_after, require_times
from timers.entries.store import find_entry
from timers.model import EventKind, Source, TimeEntry, WorkItem
from timers.projects.store import project_key


NewId = Callable[[], uuid.UUID]


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work that no timer ran for."""

    organization: str
    project: str
    work_item_id: int
    started_at: dt.datetime
    stopped_at: dt.datetime
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """What to correct; None leaves as it is. `confirms` says that the entry is right as it then is."""

    started_at: dt.datetime | None = None
    stopped_at: dt.datetime | None = None
    project: str | None = None
    work_item_id: int | None = None
    note: str | None = None
    clears_note: bool = False
    confirms: bool = False
    reason: str | None = None

    @property
    def only_confirms(self) -> bool:
        fields = (self.started_at, self.stopped_at, self.project, self.work_item_id, self.note)
        return not self.clears_note and all(field is None for field in fields)


@dataclass(frozen=True, slots=True)
class Changed:
    entry: TimeEntry
    is_adjustment: bool = False  # of a month that is closed


def find(
    tx: sa.Connection, caller: Caller, wanted: uuid.UUID | None, *, sees_everyone: bool, hold: bool = False
) -> TimeEntry:
    """An entry that the caller may see; with `hold`, as it stays until the transaction ends.

    Raises:
        NotFound: there is none, or it is not for them.
        Forbidden: its person has had the processing of their data stopped.
    """
    entry = None if wanted is None else find_entry(tx, caller.tenant.id, wanted, hold=hold)
    if entry is None or not may_see(tx, caller, entry.user_id, sees_everyone=sees_everyone):
        raise no_such_entry()
    return entry


def no_such_entry() -> NotFound:
    return NotFound("There is no such entry, or it is not yours. It may have been deleted.")


def add(tx: sa.Connection, caller: Caller, subject: Work, *, user_id: int, now: dt.datetime, new_id: NewId) -> Changed:
    """Adds work that was done, for the caller or, by an admin, for somebody else.

    Raises:
        PaymentRequired: the plan does not allow new time.
        InvalidRequest: the organization is no active one of the tenant, or the times cannot be.
    """
    tenant = caller.tenant
    require_tracking(tenant, now)
    if user_id == caller.user.id:
        require_processing(caller.user)
    require_active(tx, tenant, subject.organization)
    started_at, stopped_at = subject.started_at, not_after(subject.stopped_at, now)
    require_times(started_at, stopped_at, given=("startedAt", "stoppedAt"), now=now, longest=LONGEST)
    item = list_store.work_item(
        tx,
        tenant.id,
        organization=subject.organization,
        project=subject.project,
        number=subject.work_item_id,
        new_id=new_id,
    )
    entry = TimeEntry(
        id=new_id(),
        user_id=user_id,
        work_item=item,
        started_at=started_at,
        stopped_at=stopped_at,
        elapsed_ms=rules.elapsed_ms(started_at, stopped_at),
        existing_hours=None,
        note=subject.note,
        source=Source.MANUAL,
        needs_review=False,
        time_zone=tenant.time_zone,
        end_inferred=False,
        version=1,
        days=rules.split(started_at, stopped_at, tenant.zone),
    )
    adjusts = changes.add(tx, tenant, entry, EventKind.ENTERED, actor_id=caller.user.id, now=now)
    changed = Changed(entry, adjusts)
    _record(tx, caller, Action.ENTRY_ADDED, changed, now=now, new_id=new_id)
    return changed


def correct(
    tx: sa.Connection,
    caller: Caller,
    old: TimeEntry,
    subject: Correction,
    *,
    versions: frozenset[int] | None,
    now: dt.datetime,
    new_id: NewId,
) -> Changed:
    """Makes the next version of an entry that is held; when nothing would differ there is none.

    Raises:
        PreconditionFailed: the entry is of none of these versions.
        InvalidRequest: no reason is given, or the times cannot be.
    """
    _require_version(old, versions)
    if subject.reason is None and not subject.only_confirms:
        wrong = FieldError("/reason", "is required: 1 to 400 characters that say why")
        raise InvalidRequest("Say why you correct the entry; the log keeps it.", code="invalid_body", errors=[wrong])
    new = _corrected(tx, caller, old, subject, now=now, new_id=new_id)
    if new == old:
        return Changed(old)
    confirms = new == replace(old, needs_review=False, end_inferred=False)
    kind = EventKind.CONFIRMED if confirms else EventKind.CORRECTED
    new = replace(new, version=old.version + 1)
    actor, reason = caller.user.id, subject.reason
    adjusts = changes.replace(tx, caller.tenant, old, new, kind, actor_id=actor, now=now, reason=reason)
    changed = Changed(new, adjusts)
    action = Action.ENTRY_CONFIRMED if confirms else Action.ENTRY_CORRECTED
    _record(tx, caller, action, changed, now=now, new_id=new_id)
    return changed


def delete(
    tx: sa.Connection,
    caller: Caller,
    entry: TimeEntry,
    *,
    versions: frozenset[int] | None,
    reason: str,
    now: dt.datetime,
    new_id: NewId,
) -> None:
    """Takes an entry that is held away; the log keeps it whole.

    Raises:
        PreconditionFailed: the entry is of none of these versions.
    """
    _require_version(entry, versions)
    adjusts = changes.remove(tx, caller.tenant, entry, actor_id=caller.user.id, now=now, reason=reason)
    _record(tx, caller, Action.ENTRY_DELETED, Changed(entry, adjusts), now=now, new_id=new_id)


def _corrected(
    tx: sa.Connection, caller: Caller, old: TimeEntry, subject: Correction, *, now: dt.datetime, new_id: NewId
) -> TimeEntry:
    """The entry as corrected. The source stays, since it tells where the entry came from; so does the zone."""
    new = replace(
        old,
        work_item=_work_item(tx, caller, old.work_item, subject, new_id),
        note=None if subject.clears_note else subject.note or old.note,
    )
    if subject.confirms and old.needs_review:
        new = replace(new, needs_review=False, end_inferred=False)
    started_at = subject.started_at or old.started_at
    stopped_at = old.stopped_at if subject.stopped_at is None else not_after(subject.stopped_at, now)
    if (started_at, stopped_at) == (old.started_at, old.stopped_at):
        return new
    asked = {"startedAt": subject.started_at, "stoppedAt": subject.stopped_at}
    given = [name for name, instant in asked.items() if instant is not None]
    longest = max(LONGEST, old.stopped_at - old.started_at)
    require_times(started_at, stopped_at, given=given, now=now, longest=longest)
    return replace(
        new,
        started_at=started_at,
        stopped_at=stopped_at,
        elapsed_ms=rules.elapsed_ms(started_at, stopped_at),
        days=rules.split(started_at, stopped_at, ZoneInfo(old.time_zone)),
        needs_review=False,
        end_inferred=False,
    )


def _work_item(tx: sa.Connection, caller: Caller, old: WorkItem, subject: Correction, new_id: NewId) -> WorkItem:
    """In the entry's own organisation, which the tenant may have left since."""
    number = subject.work_item_id or old.work_item_id
    same = subject.project is None or (
        project_key(old.organization, subject.project) == project_key(old.organization, old.project)
    )
    if same or subject.project is None:
        return replace(old, work_item_id=number)
    return list_store.work_item(
        tx, caller.tenant.id, organization=old.organization, project=subject.project, number=number, new_id=new_id
    )


def _require_version(entry: TimeEntry, versions: frozenset[int] | None) -> None:
    if versions is not None and entry.version not in versions:
        raise changes.changed_meanwhile()


def _record(
    tx: sa.Connection, caller: Caller, action: Action, changed: Changed, *, now: dt.datetime, new_id: NewId
) -> None:
    """On the audit log goes what is done to somebody else's time; why, and to what, is in the timer log."""
    entry = changed.entry
    if entry.user_id == caller.user.id:
        return
    audit.record_row(
        tx,
        caller.tenant.id,
        action,
        actor=Actor.user(caller.user.id),
        at=now,
        row_id=new_id(),
        subject_user_id=entry.user_id,
        after={"entryId": str(entry.id), "version": entry.version, "isAdjustment": changed.is_adjustment},
    )
