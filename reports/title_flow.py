"""Refreshes the work items of a report with the viewer's token before the report is built."""

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from reports import title_store
from reports.store import ReportQuery
from reports.title_service import RefusedItems
from shared.app import App
from shared.tenancy import organization_store
from shared.tenancy.model import Caller
from timers.azure_devops import AzureDevOpsError
from timers.work_items import FRESH_FOR, MAX_BATCH, look_up


if TYPE_CHECKING:
    from timers.azure_devops import AzureDevOpsSession


MOST: Final = 1000  # for one report, five requests


def refresh(app: App, caller: Caller, query: ReportQuery, session: "AzureDevOpsSession") -> RefusedItems:
    """Refreshes at most 1,000 items within the session's deadline; returns those that Azure DevOps refused.

    The items are read in batches, the newest work first in all organizations. After a failure an organization is not
    asked again. The report is built in any case.
    """
    tenant_id = caller.tenant.id
    with app.transaction(reads_only=True, tenant=tenant_id) as tx:
        outdated = title_store.find_outdated(tx, tenant_id, query, fetched_after=app.now() - FRESH_FOR, limit=MOST)
        all_organizations = organization_store.find_all(tx, tenant_id) if outdated else []
    organizations = {each.id: each for each in all_organizations}
    refused: set[tuple[str, int]] = set()
    failed: set[int] = set()
    for start in range(0, len(outdated), MAX_BATCH):
        by_organization: defaultdict[int, list[int]] = defaultdict(list)
        for organization_id, number in outdated[start : start + MAX_BATCH]:
            by_organization[organization_id].append(number)
        for organization_id in by_organization.keys() - failed:
            organization, numbers = organizations[organization_id], by_organization[organization_id]
            try:
                found = look_up(app, caller, organization, numbers, session.for_organization(organization.name))
            except AzureDevOpsError:
                failed.add(organization_id)  # the person may be no member there, or the deadline has passed
            else:
                refused |= {(organization.name, number) for number in numbers if number not in found}
    return frozenset(refused)
