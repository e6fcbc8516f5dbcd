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
from shared.tenancy import store_organizations
from shared.tenancy.model import Organization, Tenant
from shared.tracking import store_work_items as store
from shared.tracking.store_work_items import CachedWorkItem


FRESH: Final = dt.timedelta(days=1)
MOST_REFRESHED: Final = 1000  # for one report, five requests
MOST_HOURS: Final = 1_000_000  # nobody works longer; the column ends there


def look_up(
    app: App, tenant: Tenant, organization: Organization, ids: Iterable[int], visit: Visit
) -> dict[int, CachedWorkItem]:
    """Those of the work items that the caller may see, as they are now. `visit` is at their organization.

    Raises:
        AzureDevOpsError: it refused, or does not answer.
    """
    return _kept(app, tenant, organization, visit.work_items(ids).values())


def look_at(app: App, tenant: Tenant, organization: Organization, number: int, visit: Visit) -> WorkItem | None:
    """One work item as it is now; None when Azure DevOps does not tell: no work fails for that."""
    try:
        item = visit.work_item(number)
    except AzureDevOpsError:
        return None
    _kept(app, tenant, organization, [item])
    return item


def plausible_hours(item: WorkItem | None) -> Decimal | None:
    """The Completed Work that a timer begins with; None where there is none, or none that could be true."""
    hours = None if item is None else item.completed_hours
    return hours if hours is not None and 0 <= hours <= MOST_HOURS else None


def refresh_stale(
    app: App, tenant: Tenant, first: dt.date, last: dt.date, *, user_id: int | None, visit: Visit
) -> None:
    """Looks up what a report of these days shows and nobody saw for a day; the report is made in any case."""
    since = app.now() - FRESH
    with app.transaction(reads_only=True, tenant=tenant.id) as tx:
        found = store.stale(
            tx, tenant.id, first=first, last=last, user_id=user_id, seen_since=since, most=MOST_REFRESHED
        )
        all_of_them = store_organizations.find_all(tx, tenant.id) if found else []
        organizations = [each for each in all_of_them if each.id in found]
    for organization in organizations:
        with contextlib.suppress(AzureDevOpsError):  # of one organization; the person may be no member there
            look_up(app, tenant, organization, found[organization.id], visit.at(organization.name))


def _kept(app: App, tenant: Tenant, organization: Organization, items: Iterable[WorkItem]) -> dict[int, CachedWorkItem]:
    now = app.now()
    shown = [CachedWorkItem(each.id, each.type, each.title, each.assignee_name, each.state, now) for each in items]
    with app.transaction(tenant=tenant.id) as tx:
        store.save(tx, tenant.id, organization, shown)
    return {item.id: item for item in shown}
