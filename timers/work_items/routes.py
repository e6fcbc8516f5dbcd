"""The HTTP functions of work items: read one, refresh many."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation, merge_problems
from shared.http.reply import Reply
from shared.tenancy import organization_store
from shared.tenancy.model import Organization
from shared.tenancy.organization_service import require_active
from timers import azure_devops
from timers.azure_devops import LOOKUP_SECONDS
from timers.azure_devops.errors import AzureDevOpsError, WorkItemNotFound
from timers.work_items import store as work_items_store
from timers.work_items.check_flow import AZURE_DEVOPS
from timers.work_items.lookup_flow import is_fresh, look_up
from timers.work_items.schemas import RefreshedWorkItems, RefreshWorkItems, WorkItem
from timers.work_items.service import find_item
from timers.work_items.store import CachedWorkItem


blueprint = func.Blueprint()
_TAG: Final = "work items"


@route(
    blueprint,
    Operation(
        id="get_work_item",
        method=HTTPMethod.GET,
        path="work-items/{organization}/{id}",
        tag=_TAG,
        asks_azure_devops=True,
        answers={200: Answer("The work item", WorkItem)},
        problems=merge_problems(AZURE_DEVOPS, NOT_FOUND, {404: ("work_item_not_found",)}),
    ),
)
def get_work_item(call: Call) -> Reply:
    """Get a work item.

    From the cache, for people who have read it with their own X-AzureDevOps-Token in the last 30 days, whatever
    their role. With the token it is read from Azure DevOps again if you have not read it or the cached version is
    older than a day; if Azure DevOps then refuses it, it is hidden from you.
    """
    with call.transaction() as tx:
        tenant_id = call.caller.tenant.id
        organization, number = find_item(tx, tenant_id, call.path("organization"), call.path("id"))
        read = work_items_store.find_shown(tx, tenant_id, call.caller.user.id, organization.id, number, now=call.now)
    item = None if read is None else read[0]
    is_fresh_enough = read is not None and is_fresh(*read, call.now)
    if azure_devops.has_token(call) and organization.is_active and not is_fresh_enough:
        item = _refresh(call, organization, number, item)
    if item is None:
        raise NotFound(
            "You have not opened this work item in the last 30 days. Open it in Azure DevOps, with the TimeTracker "
            "extension, to see it here."
        )
    return Reply.of(HTTPStatus.OK, WorkItem.of(item, organization.name))


@route(
    blueprint,
    Operation(
        id="refresh_work_items",
        method=HTTPMethod.POST,
        path="work-items/refresh",
        tag=_TAG,
        body=RefreshWorkItems,
        asks_azure_devops=True,
        is_read=True,
        answers={200: Answer("The work items", RefreshedWorkItems)},
        problems=merge_problems(
            AZURE_DEVOPS, {400: ("wrong_organization",), 404: ("work_item_not_found",), 422: ("azure_devops_rejected",)}
        ),
    ),
)
def refresh_work_items(call: Call, body: RefreshWorkItems) -> Reply:
    """Read work items from Azure DevOps.

    Needs your X-AzureDevOps-Token. The work items are cached
    for reports, with the day on which you read them; missing ones are hidden from you. To load all titles of a
    report, send the numbers of its rows whose `titleStatus` is `notAsked`, 200 at a time, then request the report
    again without the token. Those that are still `notAsked` are not visible to you in Azure DevOps.
    """
    with call.transaction() as tx:
        tenant = call.caller.tenant
        require_active(tx, tenant, body.organization)
        organization = organization_store.find(tx, tenant.id, body.organization)
    assert organization is not None, "it is active"  # noqa: S101 - an invariant of ours
    session = azure_devops.open_session(call, LOOKUP_SECONDS, organization.name)
    shown = look_up(call.app, call.caller, organization, body.ids, session)
    missing = sorted(set(body.ids) - shown.keys())
    items = [WorkItem.of(shown[number], organization.name) for number in dict.fromkeys(body.ids) if number in shown]
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, RefreshedWorkItems(items=items, missing=missing))


def _refresh(call: Call, organization: Organization, number: int, cached: CachedWorkItem | None) -> CachedWorkItem:
    """The current work item; the cached one if Azure DevOps does not respond."""
    try:
        session = azure_devops.open_session(call, LOOKUP_SECONDS, organization.name)
        item = look_up(call.app, call.caller, organization, [number], session).get(number)
    except AzureDevOpsError:
        if cached is None:
            raise
        return cached
    if item is None:
        raise WorkItemNotFound
    return item
