"""Error responses of Azure DevOps: JSON with a TF number and a type key, or the sign-in page."""

import json
from typing import Any, Final

from werkzeug.wrappers import Response


JSON: Final = "application/json; charset=utf-8; api-version=7.1"
_NAMESPACE: Final = "Microsoft.TeamFoundation.WorkItemTracking.Server"
_SIGN_IN_PAGE: Final = (
    "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head><body>Sign in</body></html>"
)


class AzureDevOpsError(Exception):
    """An error as the service reports it."""

    def __init__(self, status: int, message: str, type_key: str) -> None:
        super().__init__(message)
        self.status, self.message, self.type_key = status, message, type_key


class NotSignedIn(Exception):
    """The token is missing, expired, or not for Azure DevOps."""


def as_json(document: Any, status: int = 200) -> Response:  # noqa: ANN401 - any JSON
    return Response(json.dumps(document), status, content_type=JSON)


def error_response(error: AzureDevOpsError) -> Response:
    document = {
        "$id": "1",
        "innerException": None,
        "message": error.message,
        "typeName": f"{_NAMESPACE}.{error.type_key}, {_NAMESPACE}",
        "typeKey": error.type_key,
        "errorCode": 0,
        "eventId": 3200,
    }
    return as_json(document, error.status)


def sign_in_response(shape: str, *, tid: str, location: str) -> Response:
    """`shape` is 203, 302, 401, or 200 with a page."""
    html = {"Content-Type": "text/html; charset=utf-8"}
    match shape:
        case "302":
            return Response("", 302, {**html, "Location": location})
        case "401":
            challenge = f"Bearer authorization_uri=https://login.microsoftonline.com/{tid}"
            response = Response("", 401, html)
            response.headers.extend({"WWW-Authenticate": [challenge, "TFS-Federated"]})
            return response
    return Response(_SIGN_IN_PAGE, int(shape), html)


def work_item_not_found(number: int) -> AzureDevOpsError:
    message = f"TF401232: Work item {number} does not exist, or you do not have permissions to read it."
    return AzureDevOpsError(404, message, "WorkItemUnauthorizedAccessException")


def invalid_property(message: str) -> AzureDevOpsError:
    return AzureDevOpsError(400, message, "VssPropertyValidationException")


def unknown_field(name: str) -> AzureDevOpsError:
    return AzureDevOpsError(
        400, f"TF51535: Cannot find field {name}.", "WorkItemTrackingFieldDefinitionNotFoundException"
    )


def rule_error(field: str, code: str) -> AzureDevOpsError:
    message = f"TF401320: Rule Error for field {field}. Error code: {code}."
    return AzureDevOpsError(400, message, "RuleValidationException")


def revision_mismatch() -> AzureDevOpsError:
    message = (
        "TF26071: This work item has been changed by someone else since you opened it. You will need to refresh it "
        "and discard your changes."
    )
    return AzureDevOpsError(412, message, "WorkItemRevisionMismatchException")
