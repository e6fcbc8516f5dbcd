"""Reads work items from Azure DevOps with the caller's token, and stores them with their reader."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from shared.app import App
from shared.tenancy.model import Caller, Organization
from timers.azure_devops.errors import AzureDevOpsError, WorkItemNotFound
from timers.azure_devops.model import WorkItem
from timers.work_items import reader_store, store
from timers.work_items.store import CachedWorkItem


if TYPE_CHECKING:
    from timers.azure_devops import AzureDevOpsSession


FRESH_FOR: Final = dt.timedelta(days=1)
MAX_BATCH: Final = 200  # in one request and one transaction
_MAX_HOURS: Final = 1_000_000  # the limit of the column


def look_up(
    app: App, caller: Caller, organization: Organization, ids: Iterable[int], session: "AzureDevOpsSession"
) -> dict[int, CachedWorkItem]:
    """The current work items, without those that Azure DevOps does not show to the caller; they are hidden from now on.

    `session` is in their organization. Each batch is stored in a transaction of its own.

    Raises:
        AzureDevOpsError: it refused a whole batch, or does not respond; earlier batches stay stored.
    """
    items: dict[int, CachedWorkItem] = {}
    numbers = list(dict.fromkeys(ids))
    for start in range(0, len(numbers), MAX_BATCH):
        batch = numbers[start : start + MAX_BATCH]
        items |= _store(app, caller, organization, batch, session.work_items(batch).values())
    return items


def look_up_one(
    app: App, caller: Caller, organization: Organization, number: int, session: "AzureDevOpsSession"
) -> WorkItem | None:
    """One current work item; None if Azure DevOps does not show it, or does not respond."""
    try:
        item = session.work_item(number)
    except WorkItemNotFound:
        _store(app, caller, organization, [number], [])
        return None
    except AzureDevOpsError:
        return None
    _store(app, caller, organization, [number], [item])
    return item


def plausible_hours(item: WorkItem | None) -> Decimal | None:
    """The existing hours for a new timer: Completed Work, or None if it is missing or out of range."""
    hours = None if item is None else item.completed_hours
    return hours if hours is not None and 0 <= hours <= _MAX_HOURS else None


def is_fresh(item: CachedWorkItem, read_on: dt.date, now: dt.datetime) -> bool:
    """Whether an item need not be read again: it was fetched, and read by the caller, within the last day."""
    return now - item.fetched_at <= FRESH_FOR and read_on >= (now - FRESH_FOR).date()


def _store(
    app: App, caller: Caller, organization: Organization, numbers: Iterable[int], items: Iterable[WorkItem]
) -> dict[int, CachedWorkItem]:
    """Stores the items that Azure DevOps showed to the caller, and hides the other numbers from them."""
    now, tenant_id, user_id = app.now(), caller.tenant.id, caller.user.id
    shown = {
        each.id: CachedWorkItem(
            each.id, each.type, each.title, each.assignee_name, each.state, each.project or None, now
        )
        for each in items
    }
    hidden = [number for number in numbers if number not in shown]
    with app.transaction(tenant=tenant_id) as tx:
        if shown:
            store.save(tx, tenant_id, organization, shown.values())
            reader_store.add(tx, tenant_id, user_id, organization.id, shown, today=now.date())
        if hidden:
            reader_store.remove(tx, tenant_id, user_id, organization.id, hidden)
    return shown
