"""The routes that belong to no slice: health, the OpenAPI document and unknown addresses."""

import gzip
import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from http import HTTPMethod, HTTPStatus
from typing import Final, Literal

import azure.functions as func
from pydantic import ConfigDict, Field

from shared.errors import MethodNotAllowed, NotFound
from shared.http.call import Call
from shared.http.cors import preflight
from shared.http.endpoint import respond, route
from shared.http.headers import matches_etag, preferred, takes_gzip
from shared.http.openapi import VERSION, document
from shared.http.operation import HTML, JSON, OPERATIONS, Answer, ErrorPage, Operation
from shared.http.reply import Reply
from shared.http.wire import WireModel
from shared.restore.mark_client import of as mark_client_of
from shared.restore.store import read


blueprint = func.Blueprint()
_ANY_METHOD: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_NO_SUCH_ROUTE: Final = Operation(
    id="no_such_route", method=HTTPMethod.GET, path="{*path}", tag="service", answers={}, body_limit=None
)


class Health(WireModel):
    status: Literal["ok"]
    version: str
    restore_watch: Literal["off", "on", "held"] = Field(
        description="detection of a database that was restored from a backup; `held`: a restore was detected, and "
        "actions outside the database wait for an operator"
    )


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
        answers={200: Answer("The service is up", Health)},
    ),
)
def get_health(call: Call) -> Reply:
    """Health of the service and its database.

    The database is queried at most every five seconds.
    """

    def read_hold() -> bool:
        with call.transaction() as tx:
            return read(tx).is_held

    is_held = call.app.liveness.check(read_hold)
    watch: Literal["off", "on", "held"] = "held" if is_held else "on" if mark_client_of(call.app).is_on else "off"
    return Reply.of(HTTPStatus.OK, Health(status="ok", version=VERSION, restore_watch=watch))


@route(
    blueprint,
    Operation(
        id="get_openapi",
        method=HTTPMethod.GET,
        path="openapi.json",
        tag="service",
        answers={200: Answer("The document", OpenApiDocument), 304: Answer("Not modified")},
    ),
)
def get_openapi(call: Call) -> Reply:
    """OpenAPI 3.1 document of this API.

    Takes If-None-Match.
    """
    plain, compressed, tag = _document_json()
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding"}
    if matches_etag(call.request, tag):
        return Reply(HTTPStatus.NOT_MODIFIED, headers=headers)
    if takes_gzip(call.request):
        return Reply(HTTPStatus.OK, compressed, {**headers, "Content-Type": JSON, "Content-Encoding": "gzip"})
    return Reply(HTTPStatus.OK, plain, {**headers, "Content-Type": JSON})


@cache
def _document_json() -> tuple[bytes, bytes, str]:
    """The document, the same compressed, and a weak tag for both."""
    plain = json.dumps(document(), ensure_ascii=False).encode()
    return plain, gzip.compress(plain, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"'


# Not in the contract. The platform takes the first route that matches, functions sorted by name: this one must be last.
@blueprint.function_name("zz_no_such_route")
@blueprint.route(route=_NO_SUCH_ROUTE.path, methods=_ANY_METHOD, auth_level=func.AuthLevel.ANONYMOUS)
def no_such_route(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    operation = replace(_NO_SUCH_ROUTE, error_page=_error_page(req))
    return respond(operation, _refuse, req, context.invocation_id)


def _refuse(call: Call) -> Reply:
    """Responds to a preflight, and to every other request with 404 or 405."""
    request, is_page = call.request, call.operation.for_browser
    if request.method == HTTPMethod.OPTIONS:
        return preflight(call.app.settings, request.headers)
    methods = sorted(method for operation in _operations_at(request) for method in operation.methods)
    if not methods:
        more = "" if is_page else " The description of the API lists all endpoints."
        raise NotFound(f"There is no such address.{more}", title="Unknown endpoint", code="no_such_route")
    headers = {"Allow": ", ".join(methods)}
    if is_page:
        detail = "Nothing was changed. Go back to the page that you came from."
        raise MethodNotAllowed(detail, title="This page cannot be opened directly", headers=headers)
    raise MethodNotAllowed(f"This address supports {headers['Allow']}.", headers=headers)


def _error_page(request: func.HttpRequest) -> ErrorPage | None:
    """The error page of the landing page, for its own addresses and for browsers; programs get a problem document."""
    others = OPERATIONS.values() if preferred(request, (JSON, HTML)) == HTML else ()
    pages = (each.error_page for each in (*_operations_at(request), *others))
    return next((page for page in pages if page is not None), None)


def _operations_at(request: func.HttpRequest) -> list[Operation]:
    path = request.route_params.get("path", "")
    return [operation for operation, pattern in _patterns() if pattern.fullmatch(path)]


@cache
def _patterns() -> list[tuple[Operation, re.Pattern[str]]]:
    def pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path)) + "/?", re.IGNORECASE)

    return [(operation, pattern(operation.path)) for operation in OPERATIONS.values()]
