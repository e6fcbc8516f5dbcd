"""The public address of the app, from which redirects and links are built."""

from typing import Final
from urllib.parse import urlsplit

import azure.functions as func

from shared.errors import Misdirected
from shared.log import get_logger
from shared.settings import Settings


_ONE_YEAR: Final = "max-age=31536000; includeSubDomains"
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}


def strict_transport(settings: Settings | None, request: func.HttpRequest) -> dict[str, str]:
    """The header that makes browsers use https only. Not sent over plain http (RFC 6797, 7.2).

    `settings` is None when they could not be read.
    """
    address = (settings and settings.public_url) or request.url
    return {"Strict-Transport-Security": _ONE_YEAR} if address.startswith("https:") else {}


def base_address(settings: Settings, request: func.HttpRequest) -> str:
    """The base address, as `find_base_address` finds it.

    Raises:
        Misdirected: the setting is missing.
    """
    address = find_base_address(settings, request)
    if address is None:
        get_logger().error("public_url_missing")
        raise Misdirected(
            "This page cannot be opened at this address, so nothing was changed. The operator of TimeTracker has to "
            "enter the address of the app in its settings."
        )
    return address


def find_base_address(settings: Settings, request: func.HttpRequest) -> str | None:
    """The setting PUBLIC_URL; without it the address of this request, if that is this machine. No slash at the end.

    None for any other Host, which is not trusted, since the client chooses it. Forwarded headers are not read.
    """
    if settings.public_url:
        return settings.public_url
    try:
        parts = urlsplit(request.url)
        host, port = parts.hostname, parts.port
    except ValueError:  # not an address
        host, port = None, None
    if host not in _LOOPBACK:
        return None
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")
