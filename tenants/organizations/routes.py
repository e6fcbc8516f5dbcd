"""The HTTP functions of a tenant's Azure DevOps organizations: list, add, rename, activate, make the default."""

from http import HTTPMethod, HTTPStatus
from typing import Final

import azure.functions as func

from shared.http.call import Call
from shared.http.endpoint import route
from shared.http.operation import NOT_FOUND, Answer, Operation, merge_problems
from shared.http.parsing import public_id
from shared.http.reply import Reply
from shared.tenancy import organization_store
from tenants.organizations import service as organizations_service
from tenants.organizations.schemas import AddOrganization, ChangeOrganization, OrganizationList
from tenants.sign_in.schemas import AzureDevOpsOrganization


blueprint = func.Blueprint()
_TAG: Final = "organization"


@route(
    blueprint,
    Operation(
        id="list_organizations",
        method=HTTPMethod.GET,
        path="organizations",
        tag=_TAG,
        answers={200: Answer("All of them, by name", OrganizationList)},
    ),
)
def list_organizations(call: Call) -> Reply:
    """The Azure DevOps organizations that you track time in."""
    with call.transaction() as tx:
        tenant = call.caller.tenant
        items = [AzureDevOpsOrganization.of(each, tenant) for each in organization_store.find_all(tx, tenant.id)]
        return call.answer(tx, HTTPStatus.OK, OrganizationList(items=items))


@route(
    blueprint,
    Operation(
        id="add_organization",
        method=HTTPMethod.POST,
        path="organizations",
        tag=_TAG,
        body=AddOrganization,
        holds_tenant=True,
        answers={201: Answer("It is one of yours, and active", AzureDevOpsOrganization)},
        problems={409: ("organization_exists",)},
    ),
)
def add_organization(call: Call, body: AddOrganization) -> Reply:
    """Add an Azure DevOps organization beside the others.

    Timers and entries may name it from now on. Work items and projects of several organizations are told apart, also
    where their numbers and names are the same.
    """
    with call.transaction() as tx:
        added = organizations_service.add(call.work(tx), body.name)
        return call.answer(tx, HTTPStatus.CREATED, AzureDevOpsOrganization.of(added, call.caller.tenant))


@route(
    blueprint,
    Operation(
        id="change_organization",
        method=HTTPMethod.PATCH,
        path="organizations/{id}",
        tag=_TAG,
        body=ChangeOrganization,
        holds_tenant=True,
        answers={200: Answer("The organization as changed", AzureDevOpsOrganization)},
        problems=merge_problems(NOT_FOUND, {409: ("organization_exists", "default_organization")}),
    ),
)
def change_organization(call: Call, body: ChangeOrganization) -> Reply:
    """Rename an Azure DevOps organization, activate or deactivate it, or make it the default.

    Rename it when it was renamed in Azure DevOps: its time, projects and work items stay its own. Where the company
    moved to another organization, add that one instead. Nothing new starts in an organization that is not active;
    timers that run there are stopped as ever, and its time stays in the reports.
    """
    with call.transaction() as tx:
        tenant, changed = organizations_service.change(call.work(tx), public_id(call.path("id")), body.to_change())
        return call.answer(tx, HTTPStatus.OK, AzureDevOpsOrganization.of(changed, tenant))
