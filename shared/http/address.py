"""The address by which browsers reach the app: every redirect, and every link that leaves us, is made by it."""

from typing import Final
from urllib.parse import urlsplit

import azure.functions as func

from shared.errors import Misdirected
from shared.log import get_logger
from shared.settings import Settings


_ONE_YEAR: Final = "max-age=31536000; includeSubDomains"
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}


def strict_transport(settings: Settings | None, request: func.HttpRequest) -> dict[str, str]:
    """What tells browsers to come by https only; nothing on plain http, where it must not be said (RFC 6797, 7.2).

    The settings are None where they could not be read.
    """
    address = (settings and settings.public_url) or request.url
    return {"Strict-Transport-Security": _ONE_YEAR} if address.startswith("https:") else {}


def base_address(settings: Settings, request: func.HttpRequest) -> str:
    """The setting PUBLIC_URL, or where it is not set the address of this request, if it is this machine's own.

    Another Host is not believed, since whoever calls can name any, and no forwarded header is ever read. Without a
    slash at its end.

    Raises:
        Misdirected: the setting is missing.
    """
    if settings.public_url:
        return settings.public_url
    try:
        parts = urlsplit(request.url)
        host, port = parts.hostname, parts.port
    except ValueError:  # no address at all
        host, port = None, None
    if host not in _LOOPBACK:
        get_logger().error("public_url_missing")
        raise Misdirected(
            "This page cannot be opened at this address, so nothing was changed. The operator of TimeTracker has to "
            "enter the address of the app in its settings."
        )
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")
