"""Versions as entity tags: what an answer carries, and what If-Match asks for."""

from typing import Final

import azure.functions as func
from werkzeug.http import parse_etags

from shared.errors import FieldError, InvalidRequest, PreconditionFailed, PreconditionRequired


PATTERN: Final = r'^(\*|"[0-9]{1,9}"( *, *"[0-9]{1,9}")*)$'
_MOST_DIGITS: Final = 9


def etag(version: int) -> str:
    return f'"{version}"'


def versions_wanted(request: func.HttpRequest, *, required: bool = False) -> frozenset[int] | None:
    """The versions that If-Match names, or None where it names none or any. Tags that are not ours name no version.

    Raises:
        PreconditionRequired: it is required and not there.
        PreconditionFailed: it names weak tags only, which match nothing.
        InvalidRequest: it is neither `*` nor a list of entity tags.
    """
    given = request.headers.get("if-match")
    if given is None and required:
        raise PreconditionRequired(
            "Say which version you change, as you read it, so that nobody's change is overwritten."
        )
    if given is None or given.strip() == "*":
        return None
    tags = parse_etags(given)
    # It gives None for the empty tag, which is one
    strong, every = ({tag or "" for tag in found} for found in (tags.as_set(), tags.as_set(include_weak=True)))
    # It takes words without quotes for tags, too, and a star beside tags
    if tags.star_tag or not every or not all('"' not in tag and f'"{tag}"' in given for tag in every):
        wrong = FieldError("If-Match", 'must be an ETag as it was answered, like "3"')
        raise InvalidRequest("Say the version as it was answered.", code="invalid_if_match", errors=[wrong])
    if not strong:
        raise PreconditionFailed(
            "A weak tag of a version says too little for a change. Read again and send the strong one."
        )
    return frozenset(int(tag) for tag in strong if _is_version(tag))


def _is_version(tag: str) -> bool:
    return tag.isascii() and tag.isdecimal() and len(tag) <= _MOST_DIGITS and tag == str(int(tag))
