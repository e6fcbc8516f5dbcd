"""Looks work items up in Azure DevOps with the caller's token, and keeps what it shows for reports."""

import contextlib
import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from shared.app import App
from shared.azure_devops import Visit
from shared.azure_devops_errors import AzureDevOpsError
from shared.azure_devops_model import WorkItem
from shared.tenancy.model import Tenant
from shared.tracking import store_work_items as store
from shared.tracking.store_work_items import CachedWorkItem


FRESH: Final = dt.timedelta(days=1)
MOST_REFRESHED: Final = 1000  # for one report, five requests
MOST_HOURS: Final = 1_000_000  # nobody works longer; the column ends there


def look_up(app: App, tenant: Tenant, ids: Iterable[int], visit: Visit) -> dict[int, CachedWorkItem]:
    """Those of the work items that the caller may see, as they are now.

    Raises:
        AzureDevOpsError: it refused, or does not answer.
    """
    return _kept(app, tenant, visit.work_items(ids).values())


def existing_hours(app: App, tenant: Tenant, work_item_id: int, visit: Visit) -> Decimal | None:
    """The item's Completed Work now; None when it has none, or Azure DevOps does not tell: a start does not fail."""
    try:
        item = visit.work_item(work_item_id)
    except AzureDevOpsError:
        return None
    _kept(app, tenant, [item])
    hours = item.completed_hours
    return hours if hours is not None and 0 <= hours <= MOST_HOURS else None


def refresh_stale(
    app: App, tenant: Tenant, first: dt.date, last: dt.date, *, user_id: int | None, visit: Visit
) -> None:
    """Looks up what a report of these days shows and nobody saw for a day; the report is made in any case."""
    since = app.now() - FRESH
    with app.transaction(reads_only=True, tenant=tenant.id) as tx:
        ids = store.stale(
            tx,
            tenant.id,
            tenant.organization,
            first=first,
            last=last,
            user_id=user_id,
            seen_since=since,
            most=MOST_REFRESHED,
        )
    if ids:
        with contextlib.suppress(AzureDevOpsError):
            look_up(app, tenant, ids, visit)


def _kept(app: App, tenant: Tenant, items: Iterable[WorkItem]) -> dict[int, CachedWorkItem]:
    now = app.now()
    shown = [CachedWorkItem(each.id, each.type, each.title, each.assignee_name, each.state, now) for each in items]
    with app.transaction(tenant=tenant.id) as tx:
        store.save(tx, tenant.id, tenant.organization, shown)
    return {item.id: item for item in shown}
