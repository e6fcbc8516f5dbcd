"""The versions of the API, each called by its date, and the version that a request asks for."""

from collections.abc import Mapping
from typing import Final

import azure.functions as func

from shared.errors import FieldError, InvalidRequest
from shared.http.operation import API_VERSION, Deprecated


# Oldest first. A version that will end has the dates of its deprecation; one that has ended is removed.
VERSIONS: Final[dict[str, Deprecated | None]] = {"2026-12-01": None}
CURRENT: Final[str] = next(reversed(VERSIONS))


def version_headers(request: func.HttpRequest, versions: dict[str, Deprecated | None] = VERSIONS) -> Mapping[str, str]:
    """The version that responds, by default the newest, and the headers of its deprecation."""
    asked = _asked(request)
    version = asked[0] if asked and asked[0] in versions else next(reversed(versions))
    deprecated = versions[version]
    return {API_VERSION: version, **({} if deprecated is None else deprecated.headers({}))}


def require_version(request: func.HttpRequest, versions: Mapping[str, Deprecated | None] = VERSIONS) -> None:
    """Refuses a request for a version that does not exist or has ended.

    Raises:
        InvalidRequest: also if header and query parameter differ.
    """
    asked = _asked(request)
    if len(asked) > 1:
        wrong = FieldError(API_VERSION, "must be the same in the header and in the address")
    elif asked and asked[0] not in versions:
        wrong = FieldError(API_VERSION, f"must be {' or '.join(versions)}")
    else:
        return
    raise InvalidRequest(
        "This program asks for a version of TimeTracker that does not exist or has ended. Update the program.",
        code="unsupported_api_version",
        errors=[wrong],
    )


def version_in_query(request: func.HttpRequest) -> str | None:
    version: str | None = request.params.get(API_VERSION)
    return version


def _asked(request: func.HttpRequest) -> list[str]:
    """The different versions that the request names."""
    named = (request.headers.get(API_VERSION), version_in_query(request))
    return [*dict.fromkeys(version for version in named if version is not None)]
