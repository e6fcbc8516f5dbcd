"""The errors of Azure DevOps, each a problem document for the caller, and how they are parsed from a response."""

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final

from shared.errors import ApiError


PAUSE_SECONDS: Final = 10  # if Azure DevOps asks for a pause without a length, or is unavailable
MAX_PAUSE_SECONDS: Final = 3600
_SHOWN_CHARS: Final = 200
_SECONDS: Final = re.compile(r"\A\d{1,9}(?:\.\d{1,9})?\Z")
_STALE: Final = {"WorkItemRevisionMismatchException", "TestPatchOperationFailedException"}
_SIGN_IN: Final = {
    HTTPStatus.NON_AUTHORITATIVE_INFORMATION,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.UNAUTHORIZED,
}


class AzureDevOpsError(ApiError):
    """The base class. Routes need not catch it; `code` may be stored as a reason."""

    sentence: ClassVar[str]

    def __init__(self, *, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(self.sentence, headers=headers)
        self.retry_after = retry_after


class SignInRequired(AzureDevOpsError):
    """403, since 401 is about the token for TimeTracker itself."""

    status, code, title = HTTPStatus.FORBIDDEN, "azure_devops_sign_in_required", "Azure DevOps sign-in required"
    sentence = "Azure DevOps does not accept your sign-in. Reload the page in Azure DevOps and try again."


class AzureDevOpsForbidden(AzureDevOpsError):
    status, code, title = HTTPStatus.FORBIDDEN, "azure_devops_forbidden", "Azure DevOps denies access"
    sentence = "Your account lacks the permission in Azure DevOps. Ask the project's administrator for it."


class WorkItemNotFound(AzureDevOpsError):
    """Missing, or not visible to the caller; Azure DevOps does not distinguish the two."""

    status, code, title = HTTPStatus.NOT_FOUND, "work_item_not_found", "Work item not found"
    sentence = (
        "The work item does not exist, or you may not see it. Check its number and your permissions in Azure DevOps."
    )


class WorkItemChanged(AzureDevOpsError):
    """The work item has a newer revision, so nothing was written."""

    status, code, title = HTTPStatus.CONFLICT, "work_item_changed", "Work item changed"
    sentence = "Somebody else changed this work item at the same time. Nothing was written; try again."


class Rejected(AzureDevOpsError):
    """A rule of the organization; `message` is Azure DevOps' own, shortened. It is for the caller, never for a log."""

    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "azure_devops_rejected", "Rejected by Azure DevOps"
    sentence = "Azure DevOps rejected this request."

    def __init__(self, message: str = "") -> None:
        super().__init__()
        printable = "".join(filter(str.isprintable, message))[:_SHOWN_CHARS]
        self.message = printable
        if printable:
            self.detail = f"Azure DevOps rejected this request: {printable}"


class Throttled(AzureDevOpsError):
    status, code, title = HTTPStatus.TOO_MANY_REQUESTS, "azure_devops_throttled", "Azure DevOps limits requests"
    sentence = "Azure DevOps limits the requests of your account. Try again later."

    def __init__(self, *, retry_after: int = PAUSE_SECONDS) -> None:
        super().__init__(retry_after=retry_after)


class AzureDevOpsUnavailable(AzureDevOpsError):
    """No usable response. The call changed nothing, except for OutcomeUnknown below."""

    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "azure_devops_unavailable", "Azure DevOps unavailable"
    sentence = "Azure DevOps is unavailable right now. Try again in a moment."

    def __init__(self, *, retry_after: int = PAUSE_SECONDS) -> None:
        super().__init__(retry_after=retry_after)


class OutcomeUnknown(AzureDevOpsUnavailable):
    """A change was sent, and may be or become effective; only the work item's history shows it."""

    code = "azure_devops_outcome_unknown"
    sentence = "Azure DevOps did not confirm the change. Check the work item before you try again."


def parse_failure(
    status: int,
    document: Any,  # noqa: ANN401 - any JSON
    *,
    is_json: bool,
    pause: int | None,
    writes: bool,
) -> AzureDevOpsError | None:
    """The error that a response means, if any; `pause` is its Retry-After in seconds."""
    if status in _SIGN_IN or (status == HTTPStatus.OK and not is_json):
        return SignInRequired()
    if status == HTTPStatus.OK:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(retry_after=pause or PAUSE_SECONDS)
    is_success = status < HTTPStatus.MULTIPLE_CHOICES  # an undocumented success, of unknown meaning
    if is_success or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return (OutcomeUnknown if writes else AzureDevOpsUnavailable)(retry_after=pause or PAUSE_SECONDS)
    if status < HTTPStatus.BAD_REQUEST:
        return AzureDevOpsUnavailable()  # a redirect: its target must not get a token
    return _refusal(status, document if isinstance(document, dict) else {})


def _refusal(status: int, document: Mapping[str, Any]) -> AzureDevOpsError:
    message, kind = document.get("message"), document.get("typeKey")
    text = message if isinstance(message, str) else ""
    if status in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED} or kind in _STALE or "TF26071" in text:
        return WorkItemChanged()
    if status == HTTPStatus.NOT_FOUND or "TF401232" in text:
        return WorkItemNotFound()
    if status == HTTPStatus.FORBIDDEN:
        return AzureDevOpsForbidden()
    return Rejected(text)


def parse_pause(retry_after: str | None) -> int | None:
    """The whole seconds of a Retry-After header, at most an hour; a default if it is not a number of seconds."""
    if not retry_after:
        return None
    given = retry_after.strip()
    if not _SECONDS.match(given):
        return PAUSE_SECONDS
    return min(math.ceil(float(given)), MAX_PAUSE_SECONDS)
