"""The versions of the API, named by their dates, and the selection of the requested one."""

from collections.abc import Mapping
from typing import Final

import azure.functions as func

from shared.errors import FieldError, InvalidRequest
from shared.http.operation import API_VERSION, Deprecated


# Oldest first. A version that will end has the dates of its deprecation; one that has ended is removed.
VERSIONS: Final[dict[str, Deprecated | None]] = {"2026-12-01": None}
CURRENT: Final[str] = next(reversed(VERSIONS))


def version_headers(request: func.HttpRequest, versions: dict[str, Deprecated | None] = VERSIONS) -> Mapping[str, str]:
    """The header of the served version, by default the newest, and those of its deprecation."""
    requested = _requested(request)
    version = requested[0] if requested and requested[0] in versions else next(reversed(versions))
    deprecated = versions[version]
    return {API_VERSION: version, **({} if deprecated is None else deprecated.headers({}))}


def require_version(request: func.HttpRequest, versions: Mapping[str, Deprecated | None] = VERSIONS) -> None:
    """Refuses a request for a version that does not exist or has ended.

    Raises:
        InvalidRequest: also if header and query parameter differ.
    """
    requested = _requested(request)
    if len(requested) > 1:
        wrong = FieldError(API_VERSION, "must be the same in the header and in the address")
    elif requested and requested[0] not in versions:
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


def _requested(request: func.HttpRequest) -> list[str]:
    """The different versions that the request names."""
    named = (request.headers.get(API_VERSION), version_in_query(request))
    return [*dict.fromkeys(version for version in named if version is not None)]
