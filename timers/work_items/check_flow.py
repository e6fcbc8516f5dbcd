"""Reads the work item of a change with the caller's token, and checks its project."""

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
from timers.work_items.lookup_flow import look_up_one


# Problem codes of operations that fail without Azure DevOps
AZURE_DEVOPS: Final[Problems] = {
    403: ("azure_devops_sign_in_required", "azure_devops_forbidden"),
    429: ("azure_devops_throttled",),
    503: ("azure_devops_unavailable",),
}
_SECONDS: Final = 3.0  # a click waits no longer for Azure DevOps


def read_work_item(call: Call, organization: str, number: int) -> WorkItem | None:
    """The current work item; None without a token, or if Azure DevOps does not show it."""
    if not azure_devops.has_token(call):
        return None
    with call.transaction() as tx:
        known = organization_store.find(tx, call.caller.tenant.id, organization)
    if known is None or not known.is_active:
        return None  # `require_active` refuses the change
    try:
        session = azure_devops.open_change_session(call, known.name).at_most(_SECONDS)
    except AzureDevOpsError:
        return None
    return look_up_one(call.app, call.caller, known, number, session)


def require_own_project(
    tx: sa.Connection, call: Call, item: WorkItem | None, *, organization: str, project: str
) -> None:
    """Requires the work item's own project, or one that counts as it. Without a work item there is no check.

    Raises:
        InvalidRequest: `wrong_project`.
    """
    if item is None or not item.project:
        return
    if count_as_one(tx, call.caller.tenant.id, organization, project, item.project):
        return
    raise InvalidRequest(
        f"In Azure DevOps, work item {item.id} is in the project {item.project}, not in {project}. Choose "
        f"{item.project}, or another work item.",
        code="wrong_project",
        errors=[FieldError("/project", f"must be {item.project}, the project of work item {item.id}")],
    )
