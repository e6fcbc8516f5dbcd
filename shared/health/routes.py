"""The routes that belong to no slice: liveness, the contract, and the answer to every address that is not one."""

import gzip
import hashlib
import json
import re
from functools import cache
from http import HTTPMethod, HTTPStatus
from typing import Literal

import azure.functions as func
from pydantic import ConfigDict, Field

from shared.app import current
from shared.errors import ApiError, MethodNotAllowed, NotFound
from shared.http.address import strict_transport
from shared.http.call import Call
from shared.http.cors import cors_headers, preflight
from shared.http.endpoint import route
from shared.http.headers import has_it, preferred, takes_gzip
from shared.http.openapi import VERSION, document
from shared.http.operation import HTML, JSON, OPERATIONS, Answer, Operation, Refuse
from shared.http.problem import problem
from shared.http.reply import Reply
from shared.http.wire import WireModel
from shared.restore.store import read
from shared.restore.watch import of as watch_of


blueprint = func.Blueprint()


class Health(WireModel):
    status: Literal["ok"]
    version: str
    restore_watch: Literal["off", "on", "held"] = Field(
        description="whether a database that came back from a backup would be noticed; `held`: one is, and what acts "
        "outward or removes waits for an operator"
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
        answers={200: Answer("Both", Health)},
    ),
)
def get_health(call: Call) -> Reply:
    """Is the service up, and does it reach its database?

    The database is asked every five seconds at most.
    """

    def ask() -> bool:
        with call.transaction() as tx:
            return read(tx).is_held

    is_held = call.app.liveness.confirm(ask)
    watch: Literal["off", "on", "held"] = "held" if is_held else "on" if watch_of(call.app).is_on else "off"
    return Reply.of(HTTPStatus.OK, Health(status="ok", version=VERSION, restore_watch=watch))


@route(
    blueprint,
    Operation(
        id="get_openapi",
        method=HTTPMethod.GET,
        path="openapi.json",
        tag="service",
        answers={200: Answer("The document", OpenApiDocument), 304: Answer("You have it as it is")},
    ),
)
def get_openapi(call: Call) -> Reply:
    """This contract, as an OpenAPI 3.1 document.

    With an ETag, for If-None-Match.
    """
    plain, packed, tag = _document_json()
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding"}
    if has_it(call.request, tag):
        return Reply(HTTPStatus.NOT_MODIFIED, headers=headers)
    if takes_gzip(call.request):
        return Reply(HTTPStatus.OK, packed, {**headers, "Content-Type": JSON, "Content-Encoding": "gzip"})
    return Reply(HTTPStatus.OK, plain, {**headers, "Content-Type": JSON})


@cache
def _document_json() -> tuple[bytes, bytes, str]:
    """As it is, compressed, and its tag; weak, since both are the same document."""
    plain = json.dumps(document(), ensure_ascii=False).encode()
    return plain, gzip.compress(plain, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"'


# The platform takes the first route that matches, functions sorted by name: this one must sort last.
@blueprint.function_name("zz_no_such_route")
@blueprint.route(
    route="{*path}",
    methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
    auth_level=func.AuthLevel.ANONYMOUS,
)
def no_such_route(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    request_id = context.invocation_id
    extra, contact = {"X-Request-Id": request_id, **strict_transport(None, req)}, ""
    path = req.route_params.get("path", "")
    found = [operation for operation, pattern in _patterns() if pattern.fullmatch(path)]
    refuse = _page(found, req)
    try:
        settings = current().settings
        contact = settings.vendor_contact
        extra |= strict_transport(settings, req)
        extra |= cors_headers(settings, req.headers.get("origin"))
        if req.method == "OPTIONS":
            return preflight(settings, req.headers).to_response(extra)
        error: Exception = _nothing_here(found, is_page=refuse is not None)
    except Exception as failure:  # noqa: BLE001 - the last resort, as in endpoint
        error = failure
    if refuse is not None:
        reply = refuse(error, operation="no_such_route", request_id=request_id, contact=contact)
    else:
        reply = problem(error, operation="no_such_route", request_id=request_id)
    return reply.to_response(extra)


def _page(found: list[Operation], req: func.HttpRequest) -> Refuse | None:
    """How people are told, as other operations tell them: at the address of a page, and where a browser asks."""
    others = OPERATIONS.values() if preferred(req, (JSON, HTML)) == HTML else ()
    return next((each.refuses for each in (*found, *others) if each.refuses is not None), None)


def _nothing_here(found: list[Operation], *, is_page: bool) -> ApiError:
    """In words for a person where a browser asks."""
    methods = sorted(method for operation in found for method in operation.methods)
    if not methods:
        more = "" if is_page else " The description of the API lists all there are."
        return NotFound(f"There is no such address.{more}", code="no_such_route")
    headers = {"Allow": ", ".join(methods)}
    if is_page:
        detail = "Nothing was changed. Go back to the page that you came from."
        return MethodNotAllowed(detail, title="This page cannot be opened by itself", headers=headers)
    return MethodNotAllowed(f"This address takes {headers['Allow']}.", headers=headers)


@cache
def _patterns() -> list[tuple[Operation, re.Pattern[str]]]:
    def pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path)) + "/?", re.IGNORECASE)

    return [(operation, pattern(operation.path)) for operation in OPERATIONS.values()]
