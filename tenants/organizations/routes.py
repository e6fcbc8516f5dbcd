"""The HTTP functions of a tenant's Azure DevOps organizations."""

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
_TAG: Final = "organizations"


@route(
    blueprint,
    Operation(
        id="list_organizations",
        method=HTTPMethod.GET,
        path="organizations",
        tag=_TAG,
        answers={200: Answer("All organizations, by name", OrganizationList)},
    ),
)
def list_organizations(call: Call) -> Reply:
    """List Azure DevOps organizations.

    All organizations of the tenant by name, also inactive ones.
    """
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
        locks_tenant=True,
        answers={201: Answer("The new, active organization", AzureDevOpsOrganization)},
        problems={409: ("organization_exists",)},
    ),
)
def add_organization(call: Call, body: AddOrganization) -> Reply:
    """Add an Azure DevOps organization.

    Timers and entries can name it from now on. Work items and projects of different organizations are different, also
    with the same number or name.
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
        locks_tenant=True,
        answers={200: Answer("The changed organization", AzureDevOpsOrganization)},
        problems=merge_problems(NOT_FOUND, {409: ("organization_exists", "default_organization")}),
    ),
)
def change_organization(call: Call, body: ChangeOrganization) -> Reply:
    """Rename an Azure DevOps organization, activate or deactivate it, or make it the default.

    Rename it after it was renamed in Azure DevOps; it keeps its time, projects and work items. If the company moved to
    another organization, add that one instead. In an inactive organization no timer can be started; running timers can
    be stopped, and its time stays in the reports.
    """
    with call.transaction() as tx:
        tenant, organization = organizations_service.change(call.work(tx), public_id(call.path("id")), body.to_change())
        return call.answer(tx, HTTPStatus.OK, AzureDevOpsOrganization.of(organization, tenant))
