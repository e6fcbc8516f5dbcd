"""The HTTP functions of work items: what is known of one, and a fresh look at many."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func
import sqlalchemy as sa

from shared.azure_devops import PATIENCE_SECONDS
from shared.azure_devops_errors import AzureDevOpsError, NoWorkItem
from shared.azure_devops_model import ORGANIZATION
from shared.errors import NotFound
from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import Answer, Operation
from shared.http.reply import Reply
from shared.tenancy import store_organizations
from shared.tenancy.model import Organization
from shared.tenancy.service_organizations import require_active
from shared.tracking import store_work_items
from shared.tracking.looking_up import FRESH, look_up
from shared.tracking.store_work_items import CachedWorkItem
from timers.schemas_work_items import RefreshedWorkItems, RefreshWorkItems, WorkItem, work_item_number


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
        tenant_id = call.caller.tenant.id
        organization, number = _organization(call, tx), _number(call)
        known = store_work_items.find(tx, tenant_id, organization.id, [number]).get(number)
        may_see = call.sees_everyone or store_work_items.has_time_on(
            tx, tenant_id, call.caller.user.id, organization.id, number
        )
    shown = known if may_see else None
    is_old = shown is None or call.now - shown.fetched_at > FRESH
    if call.has_azure_devops_token and organization.is_active and is_old:
        shown = _fresh(call, organization, number, shown)
    if shown is None:
        raise NotFound("This work item is not known yet. Open it in Azure DevOps to have it looked up.")
    return Reply.of(HTTPStatus.OK, WorkItem.of(shown, organization.name))


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
    with call.transaction() as tx:
        tenant = call.caller.tenant
        require_active(tx, tenant, body.organization)
        organization = store_organizations.find(tx, tenant.id, body.organization)
    assert organization is not None, "it is active"  # noqa: S101 - an invariant of ours
    visit = call.visit_azure_devops(PATIENCE_SECONDS, organization.name)
    found = look_up(call.app, tenant, organization, body.ids, visit)
    missing = sorted(set(body.ids) - found.keys())
    items = [WorkItem.of(found[number], organization.name) for number in dict.fromkeys(body.ids) if number in found]
    with call.transaction() as tx:
        return call.answer(tx, HTTPStatus.OK, RefreshedWorkItems(items=items, missing=missing))


def _organization(call: Call, tx: sa.Connection) -> Organization:
    """The organization in the path."""
    name = call.path("organization")
    found = store_organizations.find(tx, call.caller.tenant.id, name) if ORGANIZATION.match(name) else None
    if found is None:
        raise _no_such_item()
    return found


def _number(call: Call) -> int:
    """The work item's number in the path."""
    number = work_item_number(call.path("id"))
    if number is None:
        raise _no_such_item()
    return number


def _no_such_item() -> NotFound:
    return NotFound("Your company's Azure DevOps organizations have no such work item.")


def _fresh(call: Call, organization: Organization, number: int, known: CachedWorkItem | None) -> CachedWorkItem:
    """The work item as it is now; as it was seen last when Azure DevOps does not tell."""
    try:
        visit = call.visit_azure_devops(PATIENCE_SECONDS, organization.name)
        found = look_up(call.app, call.caller.tenant, organization, [number], visit).get(number)
    except AzureDevOpsError:
        if known is None:
            raise
        return known
    shown = found or known
    if shown is None:
        raise NoWorkItem
    return shown
