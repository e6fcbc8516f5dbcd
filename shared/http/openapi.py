"""Builds the OpenAPI 3.1 document from the operations."""

import re
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic import ValidationError

from shared.http import etag
from shared.http.json_schema import component_schemas, problem_reference, problem_schemas, query_schema, reference
from shared.http.operation import (
    API_VERSION,
    AZURE_DEVOPS_TOKEN,
    DEPRECATION,
    ETAG,
    HTML,
    JSON,
    LINK,
    LOCATION,
    OPERATIONS,
    SUNSET,
    Answer,
    IfMatch,
    Operation,
    merge_problems,
)
from shared.http.problem import PROBLEM_JSON
from shared.http.versions import CURRENT, VERSIONS
from shared.http.wire import Problem, WireModel
from shared.permissions import Access


VERSION: Final = "0.1.0"
_IDEMPOTENT_REPLAYED, _REQUEST_ID, _RETRY_AFTER = "Idempotent-Replayed", "X-Request-Id", "Retry-After"
_WWW_AUTHENTICATE: Final = "WWW-Authenticate"
_HEADERS: Final = {
    API_VERSION: ("version of the API that responds", reference("ApiVersion")),
    ETAG: ("version of the resource, for If-Match", {"type": "string", "pattern": '^"[0-9]+"$'}),
    _IDEMPOTENT_REPLAYED: ("a repeat: the response stored for this Idempotency-Key", {"const": "true"}),
    DEPRECATION: (
        "date of the deprecation, in seconds since 1970 (RFC 9745)",
        {"type": "string", "pattern": "^@[0-9]+$"},
    ),
    LINK: ("the operation to use instead, with rel successor-version", {"type": "string"}),
    LOCATION: ("address of the new resource, or of the next page", {"type": "string", "format": "uri-reference"}),
    SUNSET: ("date of the end (RFC 8594)", {"type": "string"}),
    _REQUEST_ID: ("id of the request, for support; also `requestId` of errors", {"type": "string", "format": "uuid"}),
    _RETRY_AFTER: ("seconds until a retry", {"type": "integer", "minimum": 0}),
    _WWW_AUTHENTICATE: (
        "reason for the rejection of the token",
        {"type": "string", "pattern": '^Bearer error="[a-z_]+"$'},
    ),
}
_TITLES: Final = {
    400: "Bad request",
    401: "Token missing, expired or not valid here",
    402: "Not allowed by the plan",
    403: "Forbidden",
    404: "Not found or not accessible",
    409: "Conflict",
    411: "Body sent without its length",
    412: "Precondition failed: the resource has changed",
    413: "Content too large",
    415: "Unsupported media type",
    421: "Address of the app not configured",
    422: "Unprocessable content",
    428: "If-Match missing",
    429: "Throttled by Azure DevOps",
    500: "Internal server error",
    503: "Service unavailable",
}
_HEADERS_OF: Final = {401: (_WWW_AUTHENTICATE,), 429: (_RETRY_AFTER,), 503: (_RETRY_AFTER,)}


@cache
def document() -> dict[str, Any]:
    """The whole document, built once: the operations are fixed when the app is indexed."""
    operations = sorted(OPERATIONS.values(), key=lambda each: (each.path, each.method))
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(f"/api/{operation.path}", {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TimeTracker for Azure DevOps",
            "version": CURRENT,
            "description": "Time tracking on work items of Azure DevOps. Times are RFC 3339 in UTC, durations whole "
            "milliseconds, ids opaque strings, errors RFC 9457. HEAD is supported wherever GET is.",
            "contact": {"name": "Support of TimeTracker"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({operation.tag for operation in operations})],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "headers": {
                name: {"description": text, "required": name != _IDEMPOTENT_REPLAYED, "schema": schema}
                for name, (text, schema) in _HEADERS.items()
            },
            "securitySchemes": {
                "entra": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Microsoft Entra v2 access token for the TimeTracker API, scope access_as_user",
                }
            },
        },
    }


_TOKEN_NOT_CHECKED: Final = ("signing_keys_unavailable", "signing_key_unknown", "token_not_yet_valid")


def problem_codes(operation: Operation) -> dict[int, tuple[str, ...]]:
    """The problem codes of an operation by status: its own, and those of every operation of its kind."""
    codes: dict[int, tuple[str, ...]] = {400: ("invalid_query",), 413: ("body_too_large",)}
    if operation.permission.access > Access.ANYONE:
        codes |= {401: ("invalid_token",), 403: ("insufficient_scope",)}
    if operation.permission.access >= Access.USER:
        codes[403] += ("tenant_not_registered", "not_signed_in", "user_deactivated")
        if not operation.permission.when_cancelled:
            codes[402] = ("subscription_cancelled",)
    if operation.permission.access > Access.USER:
        codes[403] += ("role_required",)
    if operation.body is not None:
        codes[400] += ("invalid_json", "invalid_body")
        codes[411] = ("length_required",)
        codes[415] = ("unsupported_media_type",)
    if operation.is_versioned:
        codes[400] += ("unsupported_api_version",)
    if operation.takes_idempotency_key:
        codes[400] += ("invalid_idempotency_key",)
        codes[422] = ("idempotency_key_reused",)
    if operation.if_match is not None:
        codes[400] += ("invalid_if_match",)
        codes[412] = ("precondition_failed",)
    if operation.if_match is IfMatch.REQUIRED:
        codes[428] = ("if_match_required",)
    of_tokens = _TOKEN_NOT_CHECKED if operation.permission.access > Access.ANYONE else ()
    codes |= {500: ("internal_error",), 503: ("temporarily_unavailable", *of_tokens)}
    allowed = {
        status: each
        for status, each in merge_problems(codes, operation.problems).items()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or any(map(operation.allows_error, each))
    }
    return dict(sorted(allowed.items()))


def _operation(operation: Operation) -> dict[str, Any]:
    result: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": {str(status): _response(operation, answer) for status, answer in operation.all_answers.items()}
        | {str(status): _error(operation, status, codes) for status, codes in problem_codes(operation).items()},
        "security": [] if operation.permission.access is Access.ANYONE else [{"entra": []}],
    }
    if operation.deprecated is not None:
        result["deprecated"] = True
    if operation.description:
        result["description"] = operation.description
    if operation.body is not None:
        result["requestBody"] = {
            "required": not _accepts_nothing(operation.body),
            "content": {operation.body_type: {"schema": _ref(operation.body)}},
        }
    return result


def _accepts_nothing(body: type[WireModel]) -> bool:
    """Whether the body may be left out."""
    try:
        body.model_validate_json("{}")
    except ValidationError:
        return False
    return True


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        schema = query_schema(operation.query)
        required = schema.get("required", ())
        parameters += [_query_parameter(name, part, name in required) for name, part in schema["properties"].items()]
    if operation.is_versioned:
        parameters.append(
            {
                "name": API_VERSION,
                "in": "header",
                "required": False,
                "description": "Version of the API, also accepted as a query parameter; the newest if omitted",
                "schema": reference("ApiVersion"),
            }
        )
    if operation.asks_azure_devops:
        parameters.append(
            {
                "name": AZURE_DEVOPS_TOKEN,
                "in": "header",
                "required": False,
                "description": "Your token for Azure DevOps; used for this request and not stored",
                "schema": {"type": "string"},
            }
        )
    if operation.if_match is not None:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": operation.if_match is IfMatch.REQUIRED,
                "description": "ETag of the version that you read; * for any version",
                "schema": {"type": "string", "pattern": etag.PATTERN, "examples": ['"3"']},
            }
        )
    if operation.takes_idempotency_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A new random value; a repeat within 48 hours gets the first response",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
            }
        )
    return parameters


def _query_parameter(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:  # noqa: FBT001
    """A parameter; a list is one value, with commas."""
    style = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    text = {"description": schema["description"]} if "description" in schema else {}
    return {"name": name, "in": "query", "required": required, **text, **style, "schema": schema}


def _response(operation: Operation, answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description, "headers": _headers(operation, *answer.headers)}
    if ETAG in answer.headers:
        response["links"] = dict(_links(operation))
    files: dict[str, Any] = {media: {"schema": _file_schema(media)} for media in answer.media if media != JSON}
    if answer.model is not None:
        response["content"] = {JSON: {"schema": _ref(answer.model)}, **files}
    elif files:
        response["content"] = files
    return response


def _file_schema(media: str) -> dict[str, Any]:
    return {"type": "string"} if media.startswith("text/") else {"type": "string", "format": "binary"}


def _links(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations that take the ETag of this response."""
    own, new = operation.path.removesuffix("/delete"), f"{operation.path}/{{id}}"
    for other in OPERATIONS.values():
        takes_version = other.if_match is not None and other.deprecated is None
        if takes_version and other.path in {own, f"{own}/delete", new, f"{new}/delete"}:
            path = {"path.id": "$response.body#/id"} if "{id}" in other.path else {}
            parameters = {**path, "header.If-Match": "$response.header.ETag"}
            yield other.id, {"operationId": other.id, "parameters": parameters}


def _error(operation: Operation, status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    page, problem = {HTML: {"schema": {"type": "string"}}}, {PROBLEM_JSON: {"schema": problem_reference(codes)}}
    return {
        "description": f"{_TITLES[status]}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": _headers(operation, *_HEADERS_OF.get(status, ())),
        "content": page if operation.for_browser else problem,
    }


def _headers(operation: Operation, *names: str) -> dict[str, Any]:
    """The headers of every response, and these."""
    some = {
        API_VERSION: operation.is_versioned,
        _REQUEST_ID: True,
        _IDEMPOTENT_REPLAYED: operation.takes_idempotency_key,
        DEPRECATION: operation.deprecated is not None,
        LINK: operation.deprecated is not None,
        SUNSET: operation.deprecated is not None and operation.deprecated.ends is not None,
    }
    names_of_all = [name for name, has in some.items() if has]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names_of_all, *names)}


def _ref(model: type[WireModel]) -> dict[str, str]:
    return reference(model.__name__)


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    bodies = {operation.body for operation in operations if operation.body is not None}
    problems = {model for operation in operations for model in operation.problem_models}
    responses = {answer.model for operation in operations for answer in operation.answers.values() if answer.model}
    models: list[Any] = [(model, "validation") for model in bodies]
    models += [(model, "serialization") for model in responses | problems | {Problem}]
    models.sort(key=lambda pair: pair[0].__name__)
    schemas = component_schemas(models)
    for operation in operations:
        if operation.query is not None:
            schemas |= query_schema(operation.query)["$defs"]
    with_json_errors = (operation for operation in operations if not operation.for_browser)
    codes = {code for each in with_json_errors for group in problem_codes(each).values() for code in group}
    schemas["ApiVersion"] = {"type": "string", "enum": [*VERSIONS], "description": "Version of the API"}
    return dict(sorted({**problem_schemas(codes, schemas[Problem.__name__]), **schemas}.items()))
