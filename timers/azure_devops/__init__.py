"""Azure DevOps with the caller's own token: their work items, and Completed Work."""

from typing import TYPE_CHECKING, Final

from shared.app import App
from shared.http.call import Call
from shared.http.operation import AZURE_DEVOPS_TOKEN


if TYPE_CHECKING:
    from timers.azure_devops.client import AzureDevOps, Visit


PATIENCE_SECONDS: Final = 5.0
_CHANGE_SECONDS: Final = 4.0  # of the five that a start or stop may take: the rest is for the answer's own work


def of(app: App) -> "AzureDevOps":
    return app.once(_client)


def has_token(call: Call) -> bool:
    return bool(call.request.headers.get(AZURE_DEVOPS_TOKEN))


def visit(call: Call, seconds: float, organization: str | None = None) -> "Visit":
    """Azure DevOps with the caller's own token, for at most so many seconds from now.

    `organization` is one of the tenant's, the default one where it is left out.

    Raises:
        SignInRequired: there is no token, or nothing that could be one.
    """
    tenant, token = call.caller.tenant, call.request.headers.get(AZURE_DEVOPS_TOKEN)
    who = (tenant.id, call.caller.user.id)
    return of(call.app).visit(organization or tenant.organization, token, who=who, seconds=seconds)


def visit_beside_change(call: Call, organization: str | None = None) -> "Visit":
    """Azure DevOps beside a change of time, with one time budget for all these visits of a call.

    Raises:
        SignInRequired: there is no token, or nothing that could be one.
    """
    found = call.once(_beside_change)
    return found if organization is None else found.at(organization)


def _client(app: App) -> "AzureDevOps":
    from timers.azure_devops.client import AzureDevOps  # noqa: PLC0415 - an interface imports no client

    return AzureDevOps(app.settings.azure_devops_url)


def _beside_change(call: Call) -> "Visit":
    return visit(call, _CHANGE_SECONDS)
