"""The HTTP functions of work items: what is known of one, and a fresh look at many."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.azure_devops import PATIENCE_SECONDS
from shared.azure_devops_errors import AzureDevOpsError, NoWorkItem
from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from shared.tracking import store_work_items
from shared.tracking.looking_up import FRESH, look_up
from shared.tracking.store_work_items import CachedWorkItem
from timers.schemas_work_items import RefreshedWorkItems, RefreshWorkItems, WorkItem, work_item_number
from timers.service import require_own_organization


blueprint = func.Blueprint()
_TAG: Final = "work items"


@route(
    blueprint,
    Operation(
        id="get_work_item",
        method=HTTPMethod.GET,
        path="work-items/{organization}/{id}",
        tag=_TAG,
        summary="What is known of a work item",
        description="With X-AzureDevOps-Token it is looked up when it is unknown, or was last seen more than a day "
        "ago. Without, you see those that you have tracked time on; admins see every one that is known.",
        asks_azure_devops=True,
        answers={200: Answer("The work item, as of `fetchedAt`", WorkItem)},
        problems={
            403: ("azure_devops_sign_in_required", "azure_devops_forbidden"),
            404: ("not_found", "work_item_not_found"),
            429: ("azure_devops_throttled",),
            503: ("azure_devops_unavailable",),
        },
    ),
)
def get_work_item(call: Call) -> Reply:
    with call.transaction() as tx:
        number = _number(call)
        tenant = call.caller.tenant
        known = store_work_items.find(tx, tenant.id, tenant.organization, [number]).get(number)
        may_see = call.sees_everyone or store_work_items.has_time_on(tx, tenant.id, call.caller.user.id, number)
    shown = known if may_see else None
    if call.has_azure_devops_token and (shown is None or call.now - shown.fetched_at > FRESH):
        shown = _fresh(call, number, shown)
    if shown is None:
        raise NotFound("This work item is not known yet. Send X-AzureDevOps-Token to have it looked up.")
    return Reply.of(HTTPStatus.OK, WorkItem.of(shown))


@route(
    blueprint,
    Operation(
        id="refresh_work_items",
        method=HTTPMethod.POST,
        path="work-items/refresh",
        tag=_TAG,
        summary="Look work items up in Azure DevOps",
        description="With your X-AzureDevOps-Token, which is used for this and kept nowhere. What is found is kept for "
        "reports.",
        body=RefreshWorkItems,
        asks_azure_devops=True,
        answers={200: Answer("What Azure DevOps shows you", RefreshedWorkItems)},
        problems={
            400: ("wrong_organization",),
            403: ("azure_devops_sign_in_required", "azure_devops_forbidden"),
            422: ("azure_devops_rejected",),
            429: ("azure_devops_throttled",),
            503: ("azure_devops_unavailable",),
        },
    ),
)
def refresh_work_items(call: Call, body: RefreshWorkItems) -> Reply:
    with call.transaction():
        require_own_organization(call.caller, body.organization)
    found = look_up(call.app, call.caller.tenant, body.ids, call.visit_azure_devops(PATIENCE_SECONDS))
    missing = sorted(set(body.ids) - found.keys())
    items = [WorkItem.of(found[number]) for number in dict.fromkeys(body.ids) if number in found]
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, RefreshedWorkItems(items=items, missing=missing))


def _number(call: Call) -> int:
    """The work item's number in the path, where the organisation before it is the tenant's."""
    number = work_item_number(call.path("id"))
    own = call.path("organization").casefold() == call.caller.tenant.organization.casefold()
    if not own or number is None:
        raise NotFound("Your organisation has no such work item.")
    return number


def _fresh(call: Call, number: int, known: CachedWorkItem | None) -> CachedWorkItem:
    """The work item as it is now; as it was seen last when Azure DevOps does not tell."""
    try:
        found = look_up(call.app, call.caller.tenant, [number], call.visit_azure_devops(PATIENCE_SECONDS)).get(number)
    except AzureDevOpsError:
        if known is None:
            raise
        return known
    shown = found or known
    if shown is None:
        raise NoWorkItem
    return shown
