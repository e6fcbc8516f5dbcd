"""Versions as entity tags: the ETag of a response, and the If-Match of a request."""

from typing import Final

import azure.functions as func
from werkzeug.http import parse_etags

from shared.errors import FieldError, InvalidRequest, PreconditionRequired


PATTERN: Final = r'^(\*|"[0-9]{1,9}"( *, *"[0-9]{1,9}")*)$'
_MOST_DIGITS: Final = 9


def etag(version: int) -> str:
    return f'"{version}"'


def parse_if_match(request: func.HttpRequest, *, required: bool = False) -> frozenset[int] | None:
    """The versions in If-Match; None where there is none, or it is `*`. A tag that is not ours gives no version.

    Raises:
        PreconditionRequired: it is required and missing.
        InvalidRequest: it is neither `*` nor a list of strong entity tags.
    """
    header = request.headers.get("if-match")
    if header is None and required:
        raise PreconditionRequired(
            "Send the version that you read, so that nobody's change is overwritten. Read again if you do not have it."
        )
    if header is None or header.strip() == "*":
        return None
    tags = parse_etags(header)
    strong = {tag or "" for tag in tags.as_set()}  # werkzeug returns the empty tag as None
    is_weak = any(map(tags.is_weak, tags.as_set(include_weak=True)))
    # werkzeug also accepts words without quotes, and a star beside tags
    if tags.star_tag or is_weak or not strong or not all('"' not in tag and f'"{tag}"' in header for tag in strong):
        wrong = FieldError("If-Match", 'must be an ETag from a response, like "3"')
        raise InvalidRequest(
            "The version is not valid. Send it as you received it.", code="invalid_if_match", errors=[wrong]
        )
    return frozenset(int(tag) for tag in strong if _is_version(tag))


def _is_version(tag: str) -> bool:
    return tag.isascii() and tag.isdecimal() and len(tag) <= _MOST_DIGITS and tag == str(int(tag))
