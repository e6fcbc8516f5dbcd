"""Looks work items up in Azure DevOps with the caller's token, and keeps what it shows, and to whom."""

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


FRESH: Final = dt.timedelta(days=1)
AT_ONCE: Final = 200  # one request of Azure DevOps, and one transaction of ours
MOST_HOURS: Final = 1_000_000  # nobody works longer; the column ends there


def look_up(
    app: App, caller: Caller, organization: Organization, ids: Iterable[int], session: "AzureDevOpsSession"
) -> dict[int, CachedWorkItem]:
    """Those of the work items that the caller may see, as they are now. `session` is at their organization.

    What is not among them is not shown to the caller any more. Each batch is kept by itself.

    Raises:
        AzureDevOpsError: it refused all of a batch, or does not answer; what came before is kept.
    """
    found: dict[int, CachedWorkItem] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), AT_ONCE):
        batch = wanted[start : start + AT_ONCE]
        found |= _kept(app, caller, organization, batch, session.work_items(batch).values())
    return found


def look_at(
    app: App, caller: Caller, organization: Organization, number: int, session: "AzureDevOpsSession"
) -> WorkItem | None:
    """One work item as it is now; None when Azure DevOps does not tell: no work fails for that."""
    try:
        item = session.work_item(number)
    except WorkItemNotFound:
        _kept(app, caller, organization, [number], [])
        return None
    except AzureDevOpsError:
        return None
    _kept(app, caller, organization, [number], [item])
    return item


def plausible_hours(item: WorkItem | None) -> Decimal | None:
    """The Completed Work that a timer begins with; None where there is none, or none that could be true."""
    hours = None if item is None else item.completed_hours
    return hours if hours is not None and 0 <= hours <= MOST_HOURS else None


def is_fresh(item: CachedWorkItem, read_on: dt.date, now: dt.datetime) -> bool:
    """Whether an item need not be asked for again: it is of a day at most, and so is the caller's own reading."""
    return now - item.fetched_at <= FRESH and read_on >= (now - FRESH).date()


def _kept(
    app: App, caller: Caller, organization: Organization, asked: Iterable[int], items: Iterable[WorkItem]
) -> dict[int, CachedWorkItem]:
    """Azure DevOps was asked for some items and showed these; the others it does not show to the caller."""
    now, tenant_id, user_id = app.now(), caller.tenant.id, caller.user.id
    shown = {
        each.id: CachedWorkItem(each.id, each.type, each.title, each.assignee_name, each.state, now) for each in items
    }
    refused = [number for number in asked if number not in shown]
    with app.transaction(tenant=tenant_id) as tx:
        if shown:
            store.save(tx, tenant_id, organization, shown.values())
            reader_store.keep(tx, tenant_id, user_id, organization.id, shown, today=now.date())
        if refused:
            reader_store.forget(tx, tenant_id, user_id, organization.id, refused)
    return shown
