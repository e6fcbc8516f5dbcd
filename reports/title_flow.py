"""Reads the work items of a report with its reader's own token before it is made, and keeps what they are shown."""

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from reports import title_store
from reports.store import Asked
from shared.app import App
from shared.tenancy import organization_store
from shared.tenancy.model import Caller
from timers.azure_devops import AzureDevOpsError
from timers.work_items import FRESH_FOR, MAX_BATCH, look_up


if TYPE_CHECKING:
    from timers.azure_devops import AzureDevOpsSession


MOST: Final = 1000  # for one report, five requests


def read(app: App, caller: Caller, asked: Asked, session: "AzureDevOpsSession") -> frozenset[tuple[str, int]]:
    """Reads at most 1,000 items within the time of the session; those that Azure DevOps refused, by organization.

    The report is made in any case, of what is kept by then. A batch at a time, so that the newest work comes first in
    whichever organization; one that fails is not asked again.
    """
    with app.transaction(reads_only=True, tenant=asked.tenant_id) as tx:
        wanted = title_store.unread(tx, asked, looked_since=app.now() - FRESH_FOR, most=MOST)
        every = organization_store.find_all(tx, asked.tenant_id) if wanted else []
    organizations = {each.id: each for each in every}
    refused: set[tuple[str, int]] = set()
    failed: set[int] = set()
    for start in range(0, len(wanted), MAX_BATCH):
        by_organization: defaultdict[int, list[int]] = defaultdict(list)
        for organization_id, number in wanted[start : start + MAX_BATCH]:
            by_organization[organization_id].append(number)
        for organization_id in by_organization.keys() - failed:
            organization, numbers = organizations[organization_id], by_organization[organization_id]
            try:
                found = look_up(app, caller, organization, numbers, session.for_organization(organization.name))
            except AzureDevOpsError:
                failed.add(organization_id)  # the person may be no member there, or the time is over
            else:
                refused |= {(organization.name, number) for number in numbers if number not in found}
    return frozenset(refused)
