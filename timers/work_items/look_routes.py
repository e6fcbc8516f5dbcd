"""A look at the work item that time is for, with the caller's own token, and whether it is in the project they say."""

from typing import Final

import sqlalchemy as sa

from shared.errors import FieldError, InvalidRequest
from shared.http.call import Call
from shared.http.operation import Problems
from shared.tenancy import organization_store
from timers import azure_devops
from timers.azure_devops.errors import AzureDevOpsError
from timers.azure_devops.model import WorkItem
from timers.projects.store import count_as_one
from timers.work_items.lookup import look_at


# Problem codes of operations that need an answer of Azure DevOps
AZURE_DEVOPS: Final[Problems] = {
    403: ("azure_devops_sign_in_required", "azure_devops_forbidden"),
    429: ("azure_devops_throttled",),
    503: ("azure_devops_unavailable",),
}
_SECONDS: Final = 3.0  # a click should not feel slower because somebody else is


def look(call: Call, organization: str, number: int) -> WorkItem | None:
    """The work item as it is now; None where the caller does not let us ask, or Azure DevOps does not tell."""
    if not azure_devops.has_token(call):
        return None
    with call.transaction() as tx:
        found = organization_store.find(tx, call.caller.tenant.id, organization)
    if found is None or not found.is_active:
        return None  # where time may go is for others to say
    try:
        session = azure_devops.open_change_session(call, found.name).at_most(_SECONDS)
    except AzureDevOpsError:
        return None
    return look_at(call.app, call.caller, found, number, session)


def require_own_project(
    tx: sa.Connection, call: Call, item: WorkItem | None, *, organization: str, project: str
) -> None:
    """Lets through a project that is the work item's, by its name or as what counts as that; and what nobody looked at.

    Raises:
        InvalidRequest: `wrong_project`, with the item's own.
    """
    if item is None or not item.project:
        return
    if count_as_one(tx, call.caller.tenant.id, organization, project, item.project):
        return
    raise InvalidRequest(
        f"In Azure DevOps work item {item.id} belongs to the project {item.project}, not to {project}. Choose "
        f"{item.project}, or the work item that you meant.",
        code="wrong_project",
        errors=[FieldError("/project", f"must be {item.project}, the project of work item {item.id}")],
    )
