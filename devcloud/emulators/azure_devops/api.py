"""The work item tracking API, as far as TimeTracker uses it, in version 7.1."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from werkzeug.wrappers import Request, Response

from devcloud.emulators.azure_devops.board import Board, Document
from devcloud.emulators.azure_devops.errors import AzureDevOpsError, as_json, invalid_property, work_item_not_found
from devcloud.emulators.azure_devops.fields import check_known, fields_of, states_of
from devcloud.emulators.azure_devops.items import STATES, directory_of, projects_of
from devcloud.emulators.azure_devops.tokens import TokenUser
from devcloud.emulators.azure_devops.wiql import parse_words


MOST_IN_A_BATCH: Final = 200
MOST_UPDATES: Final = 200
MOST_FOUND: Final = 20_000
_PATCH: Final = "application/json-patch+json"


def handle(request: Request, endpoint: str, board: Board, user: TokenUser, values: Mapping[str, Any]) -> Response:
    """One call of a signed-in user.

    Raises:
        AzureDevOpsError: as the service reports it.
    """
    project = values.get("project")
    if project is not None and project not in projects_of(values["organization"].lower()):
        message = f"TF200016: The following project does not exist: {project}."
        raise AzureDevOpsError(404, message, "ProjectDoesNotExistWithNameException")
    match endpoint:
        case "connection":
            return as_json(_connection(values["organization"], user))
        case "work_item":
            return as_json(_check_project(project, _read(request, board, user, values["number"])))
        case "batch":
            return as_json(_batch(request, board, user))
        case "wiql":
            return as_json(_query(request, board, user))
        case "update":
            return as_json(_update(request, board, user, values["number"]))
    return as_json(_list_document(_list(request, endpoint, board, user, values)))


def _list(request: Request, endpoint: str, board: Board, user: TokenUser, values: Mapping[str, Any]) -> list[Document]:
    match endpoint:
        case "type_fields":
            return fields_of(_kind(values["kind"]))
        case "type_states":
            return states_of(_kind(values["kind"]))
    skip, top = _number(request, "$skip", 0), min(_number(request, "$top", MOST_UPDATES), MOST_UPDATES)
    return board.updates(values["number"], user, skip=skip, top=top)


def _list_document(value: list[Document]) -> Document:
    return {"count": len(value), "value": value}


def _kind(name: str) -> str:
    """The type with this name, ignoring case."""
    kind = next((kind for kind in STATES if kind.lower() == name.lower()), None)
    if kind is None:
        message = f"VS402323: Work item type {name} does not exist in the project, or is not for you to see."
        raise AzureDevOpsError(404, message, "WorkItemTypeNotFoundException")
    return kind


def _connection(organization: str, user: TokenUser) -> Document:
    directory = directory_of(organization)
    identity = {"id": user.oid, "providerDisplayName": user.name, "isActive": True}
    return {
        "authenticatedUser": identity,
        "authorizedUser": identity,
        "instanceId": directory.tid if directory else None,
        "deploymentType": "hosted",
    }


def _read(request: Request, board: Board, user: TokenUser, number: int) -> Document:
    names = request.args.get("fields")
    return board.read(number, user, names.split(",") if names else None)


def _check_project(project: str | None, document: Document) -> Document:
    if project is not None and document["fields"].get("System.TeamProject", project) != project:
        raise work_item_not_found(document["id"])
    return document


def _batch(request: Request, board: Board, user: TokenUser) -> Document:
    """Missing and hidden items are null with the policy `omit`; otherwise they fail the batch."""
    request_body = _body(request, "application/json")
    ids, names, policy = request_body.get("ids"), request_body.get("fields"), request_body.get("errorPolicy", "fail")
    if not isinstance(ids, list) or not ids or not all(type(each) is int for each in ids):
        raise invalid_property("The request must contain the ids of work items.")
    if len(ids) > MOST_IN_A_BATCH:
        raise invalid_property(
            f"VS403474: You requested {len(ids)} work items which exceeds the limit of {MOST_IN_A_BATCH}."
        )
    if policy not in {"fail", "omit"}:
        raise invalid_property(f"{policy} is not an error policy.")
    for name in names or ():
        check_known(name)
    value = [_read_or_none(board, user, number, names, omit=policy == "omit") for number in ids]
    return {"count": len(value), "value": value}


def _query(request: Request, board: Board, user: TokenUser) -> Document:
    words = parse_words(_body(request, "application/json").get("query"))
    found = board.search(user, words, top=min(_number(request, "$top", MOST_FOUND), MOST_FOUND))
    return {
        "queryType": "flat",
        "queryResultType": "workItem",
        "columns": [{"referenceName": "System.Id", "name": "ID"}],
        "workItems": found,
    }


def _read_or_none(
    board: Board, user: TokenUser, number: int, names: Sequence[str] | None, *, omit: bool
) -> Document | None:
    try:
        return board.read(number, user, names)
    except AzureDevOpsError:
        if not omit:
            raise
        return None


def _update(request: Request, board: Board, user: TokenUser, number: int) -> Document:
    operations = _body(request, _PATCH)
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise invalid_property("You must pass a valid patch document in the body of the request.")
    return board.patch(number, user, cast("list[Document]", operations))


def _body(request: Request, media_type: str) -> Any:  # noqa: ANN401 - any JSON
    if not request.args.get("api-version"):
        message = "A preview version must be supplied for this request: no api-version was given."
        raise AzureDevOpsError(400, message, "VssVersionNotSpecifiedException")
    if request.mimetype != media_type:
        message = f"The request contained a Content-Type of {request.mimetype!r}; this takes {media_type}."
        raise AzureDevOpsError(415, message, "UnsupportedMediaTypeException")
    try:
        return json.loads(request.get_data())
    except ValueError:
        raise invalid_property("The body is not JSON.") from None


def _number(request: Request, name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdecimal():
        raise invalid_property(f"{name} must be a number.")
    return int(text)
