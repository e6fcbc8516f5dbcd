"""The write-back of an entry on request, also for an entry from before the write-back, or a deleted one."""

import uuid

from shared.errors import Conflict, RetryableConflict
from shared.tenancy.model import Tenant
from shared.work import Work
from timers.entries.service import entry_not_found, require_visible
from timers.entries.store import find_entry
from timers.model import TimeEntry
from timers.write_back import store as write_back_store
from timers.write_back.model import WriteBack


def find(work: Work, entry_id: uuid.UUID, *, everyone: bool) -> TimeEntry | None:
    """An entry that is visible to the caller, locked; None for a deleted entry that counted.

    Raises:
        NotFound: there is no such entry, or the caller may not see it.
        Forbidden: the processing of its person's data is restricted.
    """
    tx, tenant_id = work.tx, work.tenant.id
    entry = find_entry(tx, tenant_id, entry_id, lock=True)
    user_id = write_back_store.find_owner_of_deleted(tx, tenant_id, entry_id) if entry is None else entry.user_id
    if user_id is None:
        raise entry_not_found()
    require_visible(work, user_id, everyone=everyone)
    return entry


def require_write_back(tenant: Tenant) -> None:
    """Raises Conflict if the tenant's write-back is off."""
    if not tenant.write_back:
        raise Conflict(
            "Your organization does not write hours to Azure DevOps. A super admin can turn this on.",
            code="write_back_off",
        )


def count(work: Work, entry: TimeEntry | None) -> None:
    """Makes an entry count, with its whole time; one that already counts, or is deleted, stays as it is.

    Raises:
        Conflict: the tenant's write-back is off.
    """
    require_write_back(work.tenant)
    if entry is not None and not write_back_store.sum_changes(work.tx, work.tenant.id, entry.id):
        write_back_store.add_entry(work.tx, work.tenant.id, entry, now=work.now)


def require_done(work: Work, entry_id: uuid.UUID) -> None:
    """Requires that the hours of a deleted entry are subtracted; there is no entry whose status could tell.

    Raises:
        RetryableConflict: they are not; the detail says why.
    """
    tenant = work.tenant
    progress = write_back_store.load_progress(work.tx, tenant.id, [entry_id], is_on=tenant.write_back)[entry_id]
    if progress.state not in {WriteBack.DONE, WriteBack.SHORT}:
        raise RetryableConflict(
            progress.detail or "The hours of this entry are not subtracted in Azure DevOps yet. Try again.",
            code="write_back_not_done",
        )
