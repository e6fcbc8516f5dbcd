"""The OpenAPI 3.1 document, made from the same declarations as the routes."""

import re
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from shared.http import etag
from shared.http.operation import (
    AZURE_DEVOPS_TOKEN,
    DEPRECATION,
    ETAG,
    HTML,
    JSON,
    LINK,
    LOCATION,
    OPERATIONS,
    Answer,
    IfMatch,
    Operation,
    merge_problems,
)
from shared.http.problem import PROBLEM_JSON
from shared.http.wire import Problem, WireModel
from shared.permissions import Access


VERSION: Final = "0.1.0"
_REF: Final = "#/components/schemas/{model}"
_IDEMPOTENT_REPLAYED, _REQUEST_ID, _RETRY_AFTER = "Idempotent-Replayed", "X-Request-Id", "Retry-After"
_WWW_AUTHENTICATE: Final = "WWW-Authenticate"
_HEADERS: Final = {
    ETAG: ("the version, for If-Match", {"type": "string", "pattern": '^"[0-9]+"$'}),
    _IDEMPOTENT_REPLAYED: ("the answer was given before, to the same Idempotency-Key", {"const": "true"}),
    DEPRECATION: ("since when, in seconds since 1970 (RFC 9745)", {"type": "string", "pattern": "^@[0-9]+$"}),
    LINK: ("the operation to use instead, as successor-version", {"type": "string"}),
    LOCATION: ("where to go on", {"type": "string", "format": "uri-reference"}),
    _REQUEST_ID: ("to be quoted to support; errors name it as requestId", {"type": "string", "format": "uuid"}),
    _RETRY_AFTER: ("seconds", {"type": "integer", "minimum": 0}),
    _WWW_AUTHENTICATE: ("why the token does not do", {"type": "string", "pattern": '^Bearer error="[a-z_]+"$'}),
}
_TITLES: Final = {
    400: "The request is wrong; errors says where",
    401: "The token is missing, expired or not ours",
    402: "The plan does not allow this now",
    403: "Not allowed",
    404: "Nothing here, or not yours",
    409: "The state of things does not allow this",
    411: "The body was sent in chunks",
    412: "It was changed in the meantime",
    413: "The body is too large",
    415: "The body is not of the type that this takes",
    421: "The operator has not set the app's address",
    422: "Understood, and not possible",
    428: "If-Match is missing",
    429: "Azure DevOps asks for a pause of Retry-After seconds",
    500: "Our fault",
    503: "Not now; try again after Retry-After seconds",
}
_HEADERS_OF: Final = {401: (_WWW_AUTHENTICATE,), 429: (_RETRY_AFTER,), 503: (_RETRY_AFTER,)}


@cache
def document() -> dict[str, Any]:
    """The whole contract; made once, since the operations are fixed when the app is indexed."""
    operations = sorted(OPERATIONS.values(), key=lambda each: (each.path, each.method))
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(f"/api/{operation.path}", {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TimeTracker for Azure DevOps",
            "version": VERSION,
            "description": "Start and stop a timer inside a work item; see where the month went. Times are RFC 3339 "
            "UTC, durations whole milliseconds, ids opaque strings, errors RFC 9457. HEAD is answered wherever GET "
            "is, by the same headers without the body.",
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
                    "description": "A Microsoft Entra v2 access token for the TimeTracker API, scope access_as_user",
                }
            },
        },
    }


_TOKEN_NOT_CHECKED: Final = ("signing_keys_unavailable", "signing_key_unknown", "token_not_yet_valid")


def problem_codes(operation: Operation) -> dict[int, tuple[str, ...]]:
    """Every refusal of an operation by status: its own, and those its kind always has."""
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
    said = {
        status: each
        for status, each in merge_problems(codes, operation.problems).items()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or any(map(operation.may_refuse, each))
    }
    return dict(sorted(said.items()))


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": {str(status): _answer(operation, answer) for status, answer in operation.answers.items()}
        | {str(status): _refusal(operation, status, codes) for status, codes in problem_codes(operation).items()},
        "security": [] if operation.permission.access is Access.ANYONE else [{"entra": []}],
    }
    if operation.deprecated is not None:
        described["deprecated"] = True
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        required = any(field.is_required() for field in operation.body.model_fields.values())
        described["requestBody"] = {
            "required": required,
            "content": {operation.body_type: {"schema": _ref(operation.body)}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        schema = operation.query.model_json_schema(by_alias=True, ref_template=_REF)
        parameters += [
            {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": part}
            for name, part in schema["properties"].items()
        ]
    if operation.asks_azure_devops:
        parameters.append(
            {
                "name": AZURE_DEVOPS_TOKEN,
                "in": "header",
                "required": False,
                "description": "Your token for Azure DevOps; used for this request and kept nowhere",
                "schema": {"type": "string"},
            }
        )
    if operation.if_match is not None:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": operation.if_match is IfMatch.REQUIRED,
                "description": "The ETag of what you read, so that nobody's change is overwritten; or * for any",
                "schema": {"type": "string", "pattern": etag.PATTERN, "examples": ['"3"']},
            }
        )
    if operation.takes_idempotency_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A fresh random value; a repeat within 48 hours gets the first answer",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
            }
        )
    return parameters


def _answer(operation: Operation, answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description, "headers": _headers(operation, *answer.headers)}
    if ETAG in answer.headers:
        described["links"] = dict(_changes(operation))
    files: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in answer.media if media != JSON}
    if answer.model is not None:
        described["content"] = {JSON: {"schema": _ref(answer.model)}, **files}
    elif files:
        described["content"] = files
    return described


def _changes(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """What may be done next with the version that was answered, or that another may be kept from overwriting."""
    own, new = operation.path.removesuffix("/delete"), f"{operation.path}/{{id}}"
    for other in OPERATIONS.values():
        is_next = other.if_match is not None and other.deprecated is None
        if is_next and other.path in {own, f"{own}/delete", new, f"{new}/delete"}:
            named = {"path.id": "$response.body#/id"} if "{id}" in other.path else {}
            parameters = {**named, "header.If-Match": "$response.header.ETag"}
            yield other.id, {"operationId": other.id, "parameters": parameters}


def _refusal(operation: Operation, status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    page, document = {HTML: {"schema": {"type": "string"}}}, {PROBLEM_JSON: {"schema": _ref(Problem)}}
    return {
        "description": f"{_TITLES[status]}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": _headers(operation, *_HEADERS_OF.get(status, ())),
        "content": page if operation.for_browser else document,
    }


def _headers(operation: Operation, *names: str) -> dict[str, Any]:
    """Those of every answer, and these."""
    always = [_REQUEST_ID, *([_IDEMPOTENT_REPLAYED] if operation.takes_idempotency_key else [])]
    always += [DEPRECATION, LINK] if operation.deprecated is not None else []
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*always, *names)}


def _ref(model: type[WireModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    bodies = {operation.body for operation in operations if operation.body is not None}
    answers = {answer.model for operation in operations for answer in operation.answers.values() if answer.model}
    wanted: list[Any] = [(model, "validation") for model in bodies]
    wanted += [(model, "serialization") for model in answers | {Problem}]
    wanted.sort(key=lambda pair: pair[0].__name__)
    _, schemas = models_json_schema(wanted, by_alias=True, ref_template=_REF)
    definitions: dict[str, Any] = schemas["$defs"]
    for operation in operations:
        if operation.query is not None:
            definitions |= operation.query.model_json_schema(by_alias=True, ref_template=_REF).get("$defs", {})
    return dict(sorted(definitions.items()))
