"""Versions as entity tags: what an answer carries, and what If-Match asks for."""

import re
from typing import Final

import azure.functions as func

from shared.errors import FieldError, InvalidRequest, PreconditionRequired


# A proxy that compresses an answer makes its tag a weak one
PATTERN: Final = r'^(\*|(W/)?"[0-9]{1,9}")$'
_VERSION: Final = re.compile(r'(?:W/)?"([0-9]{1,9})"')


def etag(version: int) -> str:
    return f'"{version}"'


def version_wanted(request: func.HttpRequest, *, required: bool = False) -> int | None:
    """The version that If-Match names, or None where it names none or any.

    Raises:
        PreconditionRequired: it is required and not there.
        InvalidRequest: it is not an ETag of ours.
    """
    given = request.headers.get("if-match")
    if given is None and required:
        raise PreconditionRequired(
            "Send If-Match with the ETag of what you read, so that nobody's change is overwritten."
        )
    if given is None or given.strip() == "*":
        return None
    named = _VERSION.fullmatch(given.strip())
    if named is None:
        wrong = FieldError("If-Match", 'must be an ETag as it was answered, like "3"')
        raise InvalidRequest("Send If-Match as the ETag was answered.", code="invalid_if_match", errors=[wrong])
    return int(named[1])
