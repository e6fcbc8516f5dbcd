"""The routes that belong to no slice: liveness, the contract, and the answer to every address that is not one."""

import json
import re
from functools import cache
from http import HTTPMethod, HTTPStatus
from typing import Final, Literal

import azure.functions as func
import sqlalchemy as sa
from pydantic import ConfigDict

from shared.app import current
from shared.errors import ApiError, MethodNotAllowed, NotFound
from shared.http.call import Call
from shared.http.cors import cors_headers, preflight
from shared.http.endpoint import route
from shared.http.openapi import VERSION, document
from shared.http.operation import JSON, OPERATIONS, Answer, Operation
from shared.http.problem import problem
from shared.http.reply import Reply
from shared.http.wire import WireModel


blueprint = func.Blueprint()
_ALIVE: Final = sa.select(sa.literal(1))


class Health(WireModel):
    status: Literal["ok"]
    version: str


class OpenApiDocument(WireModel):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")


@route(
    blueprint,
    Operation(
        id="get_health",
        method=HTTPMethod.GET,
        path="health",
        tag="service",
        summary="Is the service up, and does it reach its database?",
        answers={200: Answer("Both", Health)},
    ),
)
def get_health(call: Call) -> Reply:
    with call.transaction() as tx:
        tx.execute(_ALIVE)
        return call.answer(tx, HTTPStatus.OK, Health(status="ok", version=VERSION))


@route(
    blueprint,
    Operation(
        id="get_openapi",
        method=HTTPMethod.GET,
        path="openapi.json",
        tag="service",
        summary="This contract, as an OpenAPI 3.1 document",
        answers={200: Answer("The document", OpenApiDocument)},
    ),
)
def get_openapi(call: Call) -> Reply:  # noqa: ARG001 - every handler is given the call
    return Reply(HTTPStatus.OK, _document_json(), {"Content-Type": JSON})


@cache
def _document_json() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


# The platform takes the first route that matches, functions sorted by name: this one must sort last.
@blueprint.function_name("zz_no_such_route")
@blueprint.route(
    route="{*path}",
    methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
def no_such_route(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    request_id = context.invocation_id
    extra = {"X-Request-Id": request_id}
    try:
        settings = current().settings
        extra |= cors_headers(settings, req.headers.get("origin"))
        if req.method == "OPTIONS":
            return preflight(settings, req.headers).to_response(extra)
        error: Exception = _nothing_here(req.route_params.get("path", ""))
    except Exception as failure:  # noqa: BLE001 - the last resort, as in endpoint
        error = failure
    return problem(error, operation="no_such_route", request_id=request_id).to_response(extra)


def _nothing_here(path: str) -> ApiError:
    found = (operation for operation, pattern in _patterns() if pattern.fullmatch(path))
    methods = sorted(method for operation in found for method in operation.methods)
    if not methods:
        return NotFound("There is no such address. GET /api/openapi.json lists all there are.", code="no_such_route")
    allowed = ", ".join(methods)
    return MethodNotAllowed(f"This address takes {allowed}.", headers={"Allow": allowed})


@cache
def _patterns() -> list[tuple[Operation, re.Pattern[str]]]:
    def pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path)) + "/?", re.IGNORECASE)

    return [(operation, pattern(operation.path)) for operation in OPERATIONS.values()]
