"""Parses the body and parameters of a request into wire models, or raises an error with each wrong field."""

import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPMethod
from typing import Any, Final
from urllib.parse import parse_qsl

import azure.functions as func
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.errors import BodyTooLarge, FieldError, InvalidRequest, LengthRequired, UnsupportedMediaType
from shared.http.headers import media_type
from shared.http.messages import message
from shared.http.nulls import null_errors
from shared.http.operation import API_VERSION, Operation
from shared.http.wire import WireModel


_KEY: Final = re.compile(r"\A[\x21-\x7e]{1,255}\Z")
_NOT_JSON: Final = {"json_invalid", "recursion_loop"}
_MOST_ERRORS: Final = 20
_MOST_FIELDS: Final = 50
QUERY_ERROR: Final = "Some query parameters are not valid; each is listed under errors."
_MERGE_PATCH: Final = "application/merge-patch+json"  # RFC 7396
_NO_LENGTH: Final = "The body was sent in chunks, which is not supported. Send it in one piece, with its length."
_FORM_LOST: Final = (
    "The form arrived empty: something between your browser and TimeTracker removed its content. Go back and try again "
    "from another network, or ask the administrator of your network."
)


def parse_body(operation: Operation, request: func.HttpRequest) -> WireModel | None:
    """The body as the operation's model; None if the operation has no body.

    Raises:
        BodyTooLarge: before anything is parsed.
        LengthRequired: the body was sent without its length.
        UnsupportedMediaType: the body is not declared as JSON.
        InvalidRequest: with a pointer to every wrong field.
    """
    raw = request.get_body()
    if operation.body_limit is not None and len(raw) > operation.body_limit:
        raise BodyTooLarge(f"The request has {len(raw)} bytes; the limit is {operation.body_limit}.")
    if operation.body is None:
        return None
    if body_was_lost(request):
        raise LengthRequired(_FORM_LOST if operation.for_browser else _NO_LENGTH)
    if not raw and not any(field.is_required() for field in operation.body.model_fields.values()):
        raw = b"" if operation.for_browser else b"{}"
    elif media_type(request) not in {
        operation.body_type,
        _MERGE_PATCH if operation.method == HTTPMethod.PATCH else None,
    }:
        raise UnsupportedMediaType(f"Send the body as {operation.body_type}, with that content type.")
    if operation.for_browser:
        return _parse_form(operation.body, raw)
    nulls = list(null_errors(operation.body, _read_members(raw)))
    try:
        body = operation.body.model_validate_json(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        is_broken = error.errors(include_input=False)[0]["type"] in _NOT_JSON
        better = _error_with_short_numbers(operation.body, raw) if is_broken else None
        raise _body_error(better or error, nulls) from error
    if nulls:
        raise _invalid_fields(nulls)
    return body


def _is_merge_patch(request: func.HttpRequest, operation: Operation) -> bool:
    return operation.method == HTTPMethod.PATCH and media_type(request) == _MERGE_PATCH


def _read_members(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """The JSON, with few members in each object; the model would report each unknown one. None if it is invalid."""
    with suppress(ValueError, RecursionError):
        return json.loads(raw, object_pairs_hook=_each_once)
    return None


def body_was_lost(request: func.HttpRequest) -> bool:
    """Whether a body was sent in chunks, which the platform does not pass on.

    A request with neither chunks nor a length has no body (RFC 9112, 6.3), even if it has a content type.
    """
    return "transfer-encoding" in request.headers and not request.get_body()


def _parse_form(model: type[WireModel], raw: bytes) -> WireModel:
    """The fields of a form, each at most once. Empty fields count as missing."""
    try:
        fields = parse_qsl(raw.decode(), max_num_fields=_MOST_FIELDS, strict_parsing=bool(raw), errors="strict")
        _each_once(fields)
        return model.model_validate_strings(dict(fields), by_alias=True, by_name=False)
    except ValidationError as error:
        raise _body_error(error) from error
    except ValueError as error:  # not UTF-8, not a form, or too many fields
        raise InvalidRequest("The form is not valid. Open the page again.", code="invalid_body") from error


def parse_query(operation: Operation, request: func.HttpRequest) -> WireModel | None:
    """The query parameters as the operation's model; an unknown parameter is refused.

    Raises:
        InvalidRequest: names every wrong parameter.
    """
    parameters = _parameters(operation, request)
    if operation.query is None:
        if parameters:
            raise _query_error([FieldError(name, "is not a parameter of this address") for name in sorted(parameters)])
        return None
    try:
        return operation.query.model_validate_strings(parameters, by_alias=True, by_name=False)
    except ValidationError as error:
        wrong = [FieldError(".".join(str(part) for part in item["loc"]), message(item)) for item in error.errors()]
        raise _query_error(wrong) from error


def _parameters(operation: Operation, request: func.HttpRequest) -> dict[str, str]:
    """The query parameters but the version, from the address: the platform drops empty ones and joins repeated ones.

    A lost filter would return too many rows. In addresses that people open an empty parameter counts as missing, as in
    forms.
    """
    try:
        members = parse_qsl(
            request.url.partition("?")[2],
            keep_blank_values=not operation.for_browser,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except UnicodeDecodeError as error:
        raise _query_error([FieldError("", "must be UTF-8, percent-encoded")]) from error
    except ValueError as error:
        raise _query_error([FieldError("", f"must have at most {_MOST_FIELDS} parameters")]) from error
    if not operation.for_browser and (twice := _repeated(members)):
        raise _query_error([FieldError(name, "is given more than once") for name in twice])
    return {name: value for name, value in members if not (operation.is_versioned and name == API_VERSION)}


def parse_idempotency_key(request: func.HttpRequest) -> str | None:
    """The Idempotency-Key, if the request has one.

    Raises:
        InvalidRequest: it is not 1 to 255 printable ASCII characters.
    """
    key: str | None = request.headers.get("idempotency-key")
    if key is not None and not _KEY.match(key):
        wrong = FieldError("Idempotency-Key", "must be 1 to 255 printable ASCII characters without spaces")
        raise InvalidRequest(
            "The idempotency key is not valid. Use a new random value, such as a UUID.",
            code="invalid_idempotency_key",
            errors=[wrong],
        )
    return key


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses an object with two fields of one name, of which pydantic would take the last, or with too many fields."""
    if len(members) > _MOST_FIELDS:
        wrong = FieldError("", f"must have at most {_MOST_FIELDS} fields")
        raise InvalidRequest("The body has too many fields.", code="invalid_body", errors=[wrong])
    by_name = dict(members)
    if len(by_name) < len(members):  # counting each object of a large body would be slow
        twice = [FieldError(f"/{name}", "is given more than once") for name in _repeated(members)]
        raise InvalidRequest(
            "A field appears more than once in the body.", code="invalid_body", errors=twice[:_MOST_ERRORS]
        )
    return by_name


def _repeated(members: list[tuple[str, Any]]) -> list[str]:
    return [name for name, times in Counter(name for name, _ in members).items() if times > 1]


def _error_with_short_numbers(model: type[WireModel], raw: bytes) -> ValidationError | None:
    """Validates with long numbers cut: no JSON parser accepts thousands of digits, and so none names their field."""
    try:
        shortened = json.loads(raw.decode(), parse_int=lambda digits: int(digits[:20]))
        model.model_validate_json(json.dumps(shortened), by_alias=True, by_name=False)
    except ValidationError as error:
        return error
    except (ValueError, RecursionError):
        pass
    return None


def _body_error(error: ValidationError, nulls: Sequence[FieldError] = ()) -> InvalidRequest:
    items = error.errors()
    if items[0]["type"] in _NOT_JSON:
        return InvalidRequest(
            "The body is not valid JSON. Check quotes, commas and brackets, and send it as UTF-8.",
            code="invalid_json",
            errors=[FieldError("", message(items[0]))],
        )
    of_body = [FieldError(_pointer(item), message(item)) for item in items]
    return _invalid_fields([*nulls, *(each for each in of_body if each.pointer or not nulls)])


def _invalid_fields(errors: Sequence[FieldError]) -> InvalidRequest:
    detail = "Some fields of the body are not valid; each is listed under errors."
    return InvalidRequest(detail, code="invalid_body", errors=errors[:_MOST_ERRORS])


def public_id(value: str | None) -> uuid.UUID | None:
    """The id in a text, or None if it has none."""
    try:
        return uuid.UUID(value or "")
    except ValueError:
        return None


def _query_error(errors: Sequence[FieldError]) -> InvalidRequest:
    return InvalidRequest(QUERY_ERROR, code="invalid_query", errors=errors[:_MOST_ERRORS])


def _pointer(item: ErrorDetails) -> str:
    """The JSON pointer (RFC 6901) of a field."""
    return "".join("/" + str(part)[:100].replace("~", "~0").replace("/", "~1") for part in item["loc"])
