"""The work item tracking API, as far as TimeTracker uses it, in version 7.1."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from werkzeug.wrappers import Request, Response

from devcloud.emulators.azure_devops.board import Board, Document
from devcloud.emulators.azure_devops.fields import check_known, fields_of, states_of
from devcloud.emulators.azure_devops.items import STATES, directory_of, projects_of
from devcloud.emulators.azure_devops.refusal import Refused, as_json, invalid, not_there
from devcloud.emulators.azure_devops.tokens import Visitor


MOST_IN_A_BATCH: Final = 200
MOST_UPDATES: Final = 200
_PATCH: Final = "application/json-patch+json"


def answer(request: Request, endpoint: str, board: Board, visitor: Visitor, where: Mapping[str, Any]) -> Response:
    """One call of somebody who has signed in.

    Raises:
        Refused: in the service's words.
    """
    project = where.get("project")
    if project is not None and project not in projects_of(where["organization"].lower()):
        told = f"TF200016: The following project does not exist: {project}."
        raise Refused(404, told, "ProjectDoesNotExistWithNameException")
    match endpoint:
        case "connection":
            return as_json(_connection(where["organization"], visitor))
        case "work_item":
            return as_json(_within(project, _read(request, board, visitor, where["number"])))
        case "batch":
            return as_json(_batch(request, board, visitor))
        case "update":
            return as_json(_update(request, board, visitor, where["number"]))
    return as_json(_listed(_list(request, endpoint, board, visitor, where)))


def _list(request: Request, endpoint: str, board: Board, visitor: Visitor, where: Mapping[str, Any]) -> list[Document]:
    match endpoint:
        case "type_fields":
            return fields_of(_kind(where["kind"]))
        case "type_states":
            return states_of(_kind(where["kind"]))
    skip, top = _number(request, "$skip", 0), min(_number(request, "$top", MOST_UPDATES), MOST_UPDATES)
    return board.updates(where["number"], visitor, skip=skip, top=top)


def _listed(value: list[Document]) -> Document:
    return {"count": len(value), "value": value}


def _kind(name: str) -> str:
    """A type by its name, whatever the case."""
    found = next((kind for kind in STATES if kind.lower() == name.lower()), None)
    if found is None:
        told = f"VS402323: Work item type {name} does not exist in the project, or is not for you to see."
        raise Refused(404, told, "WorkItemTypeNotFoundException")
    return found


def _connection(organization: str, visitor: Visitor) -> Document:
    directory = directory_of(organization)
    who = {"id": visitor.oid, "providerDisplayName": visitor.name, "isActive": True}
    return {
        "authenticatedUser": who,
        "authorizedUser": who,
        "instanceId": directory.tid if directory else None,
        "deploymentType": "hosted",
    }


def _read(request: Request, board: Board, visitor: Visitor, number: int) -> Document:
    names = request.args.get("fields")
    return board.read(number, visitor, names.split(",") if names else None)


def _within(project: str | None, document: Document) -> Document:
    if project is not None and document["fields"].get("System.TeamProject", project) != project:
        raise not_there(document["id"])
    return document


def _batch(request: Request, board: Board, visitor: Visitor) -> Document:
    """Missing and hidden ones are null with the policy `omit`, and fail the whole batch otherwise."""
    asked = _body(request, "application/json")
    ids, names, policy = asked.get("ids"), asked.get("fields"), asked.get("errorPolicy", "fail")
    if not isinstance(ids, list) or not ids or not all(type(each) is int for each in ids):
        raise invalid("The request must contain the ids of work items.")
    if len(ids) > MOST_IN_A_BATCH:
        raise invalid(f"VS403474: You requested {len(ids)} work items which exceeds the limit of {MOST_IN_A_BATCH}.")
    if policy not in {"fail", "omit"}:
        raise invalid(f"{policy} is not an error policy.")
    for name in names or ():
        check_known(name)
    value = [_read_or_none(board, visitor, number, names, omit=policy == "omit") for number in ids]
    return {"count": len(value), "value": value}


def _read_or_none(
    board: Board, visitor: Visitor, number: int, names: Sequence[str] | None, *, omit: bool
) -> Document | None:
    try:
        return board.read(number, visitor, names)
    except Refused:
        if not omit:
            raise
        return None


def _update(request: Request, board: Board, visitor: Visitor, number: int) -> Document:
    operations = _body(request, _PATCH)
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise invalid("You must pass a valid patch document in the body of the request.")
    return board.patch(number, visitor, cast("list[Document]", operations))


def _body(request: Request, media_type: str) -> Any:  # noqa: ANN401 - any JSON
    if not request.args.get("api-version"):
        told = "A preview version must be supplied for this request: no api-version was given."
        raise Refused(400, told, "VssVersionNotSpecifiedException")
    if request.mimetype != media_type:
        told = f"The request contained a Content-Type of {request.mimetype!r}; this takes {media_type}."
        raise Refused(415, told, "UnsupportedMediaTypeException")
    try:
        return json.loads(request.get_data())
    except ValueError:
        raise invalid("The body is not JSON.") from None


def _number(request: Request, name: str, default: int) -> int:
    given = request.args.get(name, str(default))
    if not given.isdecimal():
        raise invalid(f"{name} must be a number.")
    return int(given)
