"""Asks for an entry's hours to be written back, also where nobody asked at the time, or where the entry is deleted."""

import datetime as dt
import uuid

import sqlalchemy as sa

from shared.errors import Conflict, RetryableConflict
from shared.tenancy.model import Caller, Tenant
from timers.access import may_see
from timers.entries.service import no_such_entry
from timers.entries.store import find_entry
from timers.model import TimeEntry
from timers.write_back import store as write_back_store
from timers.write_back.model import WriteBack


def find(tx: sa.Connection, caller: Caller, wanted: uuid.UUID, *, sees_everyone: bool) -> TimeEntry | None:
    """An entry whose hours the caller may ask for, held; None for one that is deleted, and counted until then.

    Raises:
        NotFound: there is none, or it is not for them.
        Forbidden: its person has had the processing of their data stopped.
    """
    entry = find_entry(tx, caller.tenant.id, wanted, hold=True)
    user_id = write_back_store.owner_of_deleted(tx, caller.tenant.id, wanted) if entry is None else entry.user_id
    if user_id is None or not may_see(tx, caller, user_id, sees_everyone=sees_everyone):
        raise no_such_entry()
    return entry


def require_write_back(tenant: Tenant) -> None:
    """Raises Conflict where the tenant has the write-back off."""
    if not tenant.write_back:
        raise Conflict(
            "Your organization does not write hours back to Azure DevOps. A super admin can turn it on.",
            code="write_back_off",
        )


def count(tx: sa.Connection, caller: Caller, entry: TimeEntry | None, *, now: dt.datetime) -> None:
    """Has an entry count, with its time, from now on; one that counts already, or is deleted, stays as it is.

    Raises:
        Conflict: the tenant has the write-back off.
    """
    require_write_back(caller.tenant)
    if entry is not None and not write_back_store.sums(tx, caller.tenant.id, entry.id):
        write_back_store.add_entry(tx, caller.tenant.id, entry, now=now)


def require_done(tx: sa.Connection, caller: Caller, entry_id: uuid.UUID) -> None:
    """For an entry that is deleted, and so has no document to tell it.

    Raises:
        RetryableConflict: not all of its hours are taken back; says why.
    """
    found = write_back_store.standings(tx, caller.tenant.id, [entry_id], is_on=caller.tenant.write_back)[entry_id]
    if found.state not in {WriteBack.DONE, WriteBack.SHORT}:
        raise RetryableConflict(
            found.detail or "Its hours are not taken back from Azure DevOps yet. Try again.",
            code="write_back_not_done",
        )
