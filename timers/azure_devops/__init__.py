"""Azure DevOps with the caller's own token: their work items, and Completed Work."""

from typing import TYPE_CHECKING, Final

from shared.app import App
from shared.deadline import Deadline
from shared.http.call import Call
from shared.http.operation import AZURE_DEVOPS_TOKEN
from timers.azure_devops.errors import AzureDevOpsError


if TYPE_CHECKING:
    from timers.azure_devops.client import AzureDevOpsClient, AzureDevOpsSession  # noqa: TC004 - offered for annotations alone


LOOKUP_SECONDS: Final = 5.0  # for a report or a look-up
_CHANGE_SECONDS: Final = 4.0  # of the five that a start or stop may take; the rest is for the product itself


def of(app: App) -> "AzureDevOpsClient":
    return app.once(_build_client)


def has_token(call: Call) -> bool:
    return bool(call.request.headers.get(AZURE_DEVOPS_TOKEN))


def open_session(call: Call, seconds: float, organization: str | None = None) -> "AzureDevOpsSession":
    """A session with the caller's own token, whose calls end after the given seconds.

    `organization` is one of the tenant's; its default one if omitted.

    Raises:
        SignInRequired: there is no token, or an impossible one.
    """
    tenant, token = call.caller.tenant, call.request.headers.get(AZURE_DEVOPS_TOKEN)
    user, deadline = (tenant.id, call.caller.user.id), Deadline.after(seconds)
    return of(call.app).open_session(organization or tenant.organization, token, user=user, deadline=deadline)


def open_change_session(call: Call, organization: str | None = None) -> "AzureDevOpsSession":
    """A session for the consequences of a change of time; all of a call have the same deadline.

    Raises:
        SignInRequired: there is no token, or an impossible one.
    """
    session = call.once(_open_change_session)
    return session if organization is None else session.for_organization(organization)


def _build_client(app: App) -> "AzureDevOpsClient":
    from timers.azure_devops.client import AzureDevOpsClient  # noqa: PLC0415 - an interface imports no client

    return AzureDevOpsClient(app.settings.azure_devops_url)


def _open_change_session(call: Call) -> "AzureDevOpsSession":
    return open_session(call, _CHANGE_SECONDS)


__all__ = [
    "LOOKUP_SECONDS",
    "AzureDevOpsError",
    "AzureDevOpsSession",
    "has_token",
    "of",
    "open_change_session",
    "open_session",
]
