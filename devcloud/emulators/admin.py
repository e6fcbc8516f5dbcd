"""Admin orders of an emulator, for programs on this machine only."""

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response


_LOOPBACK: Final = {"127.0.0.1", "localhost"}


class OrderError(Exception):
    """An invalid order; the message gives the reason."""


def respond(
    request: Request,
    order: str,
    carry_out: Callable[[str, Any], dict[str, Any]],
    error_types: tuple[type[Exception], ...] = (),
) -> Response:
    """Carries out `METHOD order` with the body; refuses pages in a browser."""
    host = urlsplit(f"//{request.host}").hostname
    if request.remote_addr not in _LOOPBACK or host not in _LOOPBACK or "Origin" in request.headers:
        return _json({"error": "only for programs on this machine"}, 403)
    try:
        return _json(carry_out(f"{request.method} {order}", json.loads(request.get_data() or b"{}")))
    except (ValueError, OrderError) as error:
        return _json({"error": str(error)}, 400)
    except error_types as error:
        return _json({"error": str(error)}, 400)


def _json(document: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
