"""Turns the bytes and parameters of a request into wire models, or into an error that names each wrong field."""

import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl

import azure.functions as func
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.errors import BodyTooLarge, FieldError, InvalidRequest, LengthRequired, UnsupportedMediaType
from shared.http.headers import media_type
from shared.http.messages import message
from shared.http.operation import Operation
from shared.http.wire import WireModel


_KEY: Final = re.compile(r"\A[\x21-\x7e]{1,255}\Z")
_NOT_JSON: Final = {"json_invalid", "recursion_loop"}
_MOST_ERRORS: Final = 20
_MOST_FIELDS: Final = 50
_BODY_LOST: Final = "No body arrived, since it was sent in chunks. Send it in one piece, with its length."
_FORM_LOST: Final = (
    "The form arrived empty: something between your browser and TimeTracker changed it on the way. Go back and try "
    "again from another network, or ask your network's administrator."
)


def parse_body(operation: Operation, request: func.HttpRequest) -> WireModel | None:
    """The body as the operation's model; None where it takes none.

    Raises:
        BodyTooLarge: before anything is parsed.
        LengthRequired: a body was sent without its length.
        UnsupportedMediaType: the body does not say that it is JSON.
        InvalidRequest: with a pointer to every wrong field.
    """
    raw = request.get_body()
    if operation.body_limit is not None and len(raw) > operation.body_limit:
        raise BodyTooLarge(f"Send at most {operation.body_limit} bytes; this body has {len(raw)}.")
    if operation.body is None:
        return None
    if body_was_lost(request):
        raise LengthRequired(_FORM_LOST if operation.for_browser else _BODY_LOST)
    if not raw and not any(field.is_required() for field in operation.body.model_fields.values()):
        raw = b"" if operation.for_browser else b"{}"
    elif media_type(request) != operation.body_type:
        raise UnsupportedMediaType(f"Send the body as {operation.body_type}, and say so.")
    if operation.for_browser:
        return _parse_form(operation.body, raw)
    _require_few_members(raw)
    try:
        return operation.body.model_validate_json(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        is_broken = error.errors(include_input=False)[0]["type"] in _NOT_JSON
        cut = _with_numbers_cut(operation.body, raw) if is_broken else None
        raise _body_error(cut or error) from error


def _require_few_members(raw: bytes) -> None:
    """Before the model is made, since that tells of each unknown one; what is no JSON is left to the model to tell."""
    with suppress(ValueError, RecursionError):
        json.loads(raw, object_pairs_hook=_each_once)


def body_was_lost(request: func.HttpRequest) -> bool:
    """Whether a body was sent in chunks, since the platform passes on none of those.

    A request that names neither chunks nor a length has no body (RFC 9112, 6.3), whatever type it names.
    """
    return "transfer-encoding" in request.headers and not request.get_body()


def _parse_form(model: type[WireModel], raw: bytes) -> WireModel:
    """The fields of a form, each at most once; those that are empty are as if they were not there."""
    try:
        fields = parse_qsl(raw.decode(), max_num_fields=_MOST_FIELDS, strict_parsing=bool(raw), errors="strict")
        _each_once(fields)
        return model.model_validate_strings(dict(fields), by_alias=True, by_name=False)
    except ValidationError as error:
        raise _body_error(error) from error
    except ValueError as error:  # not UTF-8, not a form, or too many fields
        raise InvalidRequest("The form cannot be read. Open the page again.", code="invalid_body") from error


def parse_query(operation: Operation, request: func.HttpRequest) -> WireModel | None:
    """The query parameters as the operation's model; an unknown parameter is refused.

    Raises:
        InvalidRequest: names every wrong parameter.
    """
    given = _given(operation, request)
    if operation.query is None:
        if given:
            raise _query_error(FieldError(name, "is not a parameter of this address") for name in sorted(given))
        return None
    try:
        return operation.query.model_validate_strings(given, by_alias=True, by_name=False)
    except ValidationError as error:
        found = (FieldError(".".join(str(part) for part in item["loc"]), message(item)) for item in error.errors())
        raise _query_error(found) from error


def _given(operation: Operation, request: func.HttpRequest) -> dict[str, str]:
    """The parameters as they stand in the address: the platform's own drop what is empty, and join what is repeated.

    A filter that is lost would show more than was asked for. People's browsers and Microsoft's links are taken as they
    come: like the fields of a form, what is empty there is as if it were absent.
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
        raise _query_error([FieldError("", f"must be at most {_MOST_FIELDS} parameters")]) from error
    if not operation.for_browser and (twice := _repeated(members)):
        raise _query_error(FieldError(name, "is given more than once") for name in twice)
    return dict(members)


def parse_idempotency_key(request: func.HttpRequest) -> str | None:
    """The key, if the request carries one.

    Raises:
        InvalidRequest: it is not 1 to 255 printable ASCII characters.
    """
    key: str | None = request.headers.get("idempotency-key")
    if key is not None and not _KEY.match(key):
        wrong = FieldError("Idempotency-Key", "must be 1 to 255 printable ASCII characters without blanks")
        raise InvalidRequest(
            "Send a fresh random value, such as a UUID, as idempotency key.",
            code="invalid_idempotency_key",
            errors=[wrong],
        )
    return key


def _each_once(members: list[tuple[str, Any]]) -> None:
    """Refuses an object that says two things under one name, of which pydantic would keep the last, or far too many."""
    if len(members) > _MOST_FIELDS:
        wrong = FieldError("", f"must have at most {_MOST_FIELDS} fields")
        raise InvalidRequest("Send the fields that this takes, and no others.", code="invalid_body", errors=[wrong])
    if len(dict(members)) < len(members):  # to count is dear, and a body may have thousands of objects
        twice = [FieldError(f"/{name}", "is given more than once") for name in _repeated(members)]
        raise InvalidRequest("Give each field of the body once.", code="invalid_body", errors=twice[:_MOST_ERRORS])


def _repeated(members: list[tuple[str, Any]]) -> list[str]:
    return [name for name, times in Counter(name for name, _ in members).items() if times > 1]


def _with_numbers_cut(model: type[WireModel], raw: bytes) -> ValidationError | None:
    """What is wrong once numbers of thousands of digits, which no parser takes, are cut: then their field is named."""
    try:
        cut = json.loads(raw.decode(), parse_int=lambda digits: int(digits[:20]))
        model.model_validate_json(json.dumps(cut), by_alias=True, by_name=False)
    except ValidationError as error:
        return error
    except (ValueError, RecursionError):
        pass
    return None


def _body_error(error: ValidationError) -> InvalidRequest:
    items = error.errors()
    if items[0]["type"] in _NOT_JSON:
        return InvalidRequest(
            "The body is not JSON that can be read. Check quotes, commas and brackets, and send it as UTF-8.",
            code="invalid_json",
            errors=[FieldError("", message(items[0]))],
        )
    return InvalidRequest(
        "Some fields of the body are wrong; each is listed under errors.",
        code="invalid_body",
        errors=[FieldError(_pointer(item), message(item)) for item in items[:_MOST_ERRORS]],
    )


def public_id(value: str | None) -> uuid.UUID | None:
    """An id as it stands on the wire, or None for a text that cannot be one."""
    try:
        return uuid.UUID(value or "")
    except ValueError:
        return None


def require_page(rows: Sequence[object], after: str | None) -> None:
    """A link to a next page is given only where there is one, so an empty page means that `after` was made up.

    Raises:
        InvalidRequest: there is nothing after it.
    """
    if after is not None and not rows:
        raise not_a_page_end()


def not_a_page_end() -> InvalidRequest:
    wrong = FieldError("after", "is not where a page ended")
    return InvalidRequest(
        "Follow the link to the next page as it is, or start at the first page.", code="invalid_query", errors=[wrong]
    )


def _query_error(errors: object) -> InvalidRequest:
    listed = list(errors)[:_MOST_ERRORS]  # type: ignore[call-overload]
    return InvalidRequest(
        "Some query parameters are wrong; each is listed under errors.", code="invalid_query", errors=listed
    )


def _pointer(item: ErrorDetails) -> str:
    """RFC 6901, with what a member name may contain escaped."""
    return "".join("/" + str(part)[:100].replace("~", "~0").replace("/", "~1") for part in item["loc"])
