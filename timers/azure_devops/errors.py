"""How Azure DevOps fails, each way with what the caller is told, and the one place that reads it from an answer."""

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final

from shared.errors import ApiError


PAUSE_SECONDS: Final = 10  # where Azure DevOps asks for a pause and does not say how long, or does not answer
LONGEST_PAUSE_SECONDS: Final = 3600
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
    """The base. A route may let them pass, since each is a problem document of its own; `code` is a reason to keep."""

    sentence: ClassVar[str]

    def __init__(self, *, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(self.sentence, headers=headers)
        self.retry_after = retry_after


class SignInRequired(AzureDevOpsError):
    """403, since 401 says that our own token is wrong."""

    status, code, title = HTTPStatus.FORBIDDEN, "azure_devops_sign_in_required", "Azure DevOps asks to sign in"
    sentence = (
        "Azure DevOps does not accept your sign-in there, or none was sent. Reload the page in Azure DevOps and try "
        "again."
    )


class NotAllowed(AzureDevOpsError):
    status, code, title = HTTPStatus.FORBIDDEN, "azure_devops_forbidden", "Azure DevOps does not allow this"
    sentence = "Your account may not do this in Azure DevOps. Ask the project's administrator for the permission."


class NoWorkItem(AzureDevOpsError):
    """It does not exist or they may not see it; Azure DevOps does not tell which, on purpose."""

    status, code, title = HTTPStatus.NOT_FOUND, "work_item_not_found", "There is no such work item"
    sentence = "Azure DevOps has no such work item, or you may not see it. Check its number and your permissions."


class Changed(AzureDevOpsError):
    """The work item is not the revision any more that was to be changed; nothing was."""

    status, code, title = HTTPStatus.CONFLICT, "work_item_changed", "The work item was changed in the meantime"
    sentence = "Somebody else changed this work item at the same moment. Nothing was written; try again."


class Rejected(AzureDevOpsError):
    """A rule of theirs; `message` is Azure DevOps' own, shortened. It is for the caller and belongs in no log."""

    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "azure_devops_rejected", "Azure DevOps rejects this"
    sentence = "Azure DevOps rejects this."

    def __init__(self, message: str = "") -> None:
        super().__init__()
        printable = "".join(filter(str.isprintable, message))[:_SHOWN_CHARS]
        self.message = printable
        if printable:
            self.detail = f"Azure DevOps rejects this: {printable}"


class Throttled(AzureDevOpsError):
    status, code, title = HTTPStatus.TOO_MANY_REQUESTS, "azure_devops_throttled", "Azure DevOps asks for a pause"
    sentence = "Azure DevOps has had too many requests from your account. Try again when the pause is over."

    def __init__(self, *, retry_after: int = PAUSE_SECONDS) -> None:
        super().__init__(retry_after=retry_after)


class Unreachable(AzureDevOpsError):
    """No usable answer. Nothing was changed by the call that says so, unless it is the OutcomeUnknown below."""

    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "azure_devops_unavailable", "Azure DevOps does not answer"
    sentence = "Azure DevOps does not answer right now. Try again in a moment."

    def __init__(self, *, retry_after: int = PAUSE_SECONDS) -> None:
        super().__init__(retry_after=retry_after)


class OutcomeUnknown(Unreachable):
    """A change was sent, and nobody knows whether it is done or will be; only the work item's history tells."""

    code = "azure_devops_outcome_unknown"
    sentence = "Azure DevOps did not say whether it made the change. Look at the work item before you try again."


def failure(status: int, document: Any, *, is_json: bool, pause: int | None, writes: bool) -> AzureDevOpsError | None:  # noqa: ANN401 - whatever the answer holds
    """What an answer means; None for success. `document` is its JSON where it is any, `pause` its Retry-After."""
    if status in _SIGN_IN or (status == HTTPStatus.OK and not is_json):
        return SignInRequired()
    if status == HTTPStatus.OK:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(retry_after=pause or PAUSE_SECONDS)
    is_success = status < HTTPStatus.MULTIPLE_CHOICES  # of a kind it never gives, so nobody knows what it means
    if is_success or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return (OutcomeUnknown if writes else Unreachable)(retry_after=pause or PAUSE_SECONDS)
    if status < HTTPStatus.BAD_REQUEST:
        return Unreachable()  # a redirect, say: where it points to gets no token
    return _refusal(status, document if isinstance(document, dict) else {})


def _refusal(status: int, document: Mapping[str, Any]) -> AzureDevOpsError:
    message, kind = document.get("message"), document.get("typeKey")
    told = message if isinstance(message, str) else ""
    if status in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED} or kind in _STALE or "TF26071" in told:
        return Changed()
    if status == HTTPStatus.NOT_FOUND or "TF401232" in told:
        return NoWorkItem()
    if status == HTTPStatus.FORBIDDEN:
        return NotAllowed()
    return Rejected(told)


def pause_of(retry_after: str | None) -> int | None:
    """The whole seconds of a Retry-After; an hour at most, and a default for what is no number of seconds."""
    if not retry_after:
        return None
    given = retry_after.strip()
    if not _SECONDS.match(given):
        return PAUSE_SECONDS
    return min(math.ceil(float(given)), LONGEST_PAUSE_SECONDS)
