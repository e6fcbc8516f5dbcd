"""Cross-origin requests: exact origins from the settings, no cookies, and preflight requests before any check."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from shared.http.operation import API_VERSION, AZURE_DEVOPS_TOKEN, DEPRECATION, LINK, SUNSET
from shared.http.reply import Reply
from shared.settings import Settings


_ALLOWED_HEADERS: Final = f"{API_VERSION}, Authorization, Content-Type, Idempotency-Key, If-Match, {AZURE_DEVOPS_TOKEN}"
_EXPOSED_HEADERS: Final = (
    f"{API_VERSION}, Content-Disposition, Date, {DEPRECATION}, ETag, Idempotent-Replayed, {LINK}, Location, "
    f"Retry-After, {SUNSET}, X-Request-Id"
)
_ALLOWED_METHODS: Final = "GET, POST, PUT, PATCH, DELETE"


def cors_headers(settings: Settings, origin: str | None) -> dict[str, str]:
    """The headers that let a page of a listed origin read the response."""
    if origin is None or origin not in settings.cors_allowed_origins:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
        "Vary": "Origin",
    }


def preflight(settings: Settings, headers: Mapping[str, str]) -> Reply:
    """The response to OPTIONS: 204, with permissions for a listed origin only."""
    origin = headers.get("origin")
    if origin is None or origin not in settings.cors_allowed_origins:
        return Reply(HTTPStatus.NO_CONTENT)
    return Reply(
        HTTPStatus.NO_CONTENT,
        headers={
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Allow-Methods": _ALLOWED_METHODS,
            "Access-Control-Max-Age": "7200",
        },
    )
