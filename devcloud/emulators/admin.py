"""Admin commands of an emulator, for programs on this machine only."""

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response


_LOOPBACK: Final = {"127.0.0.1", "localhost"}


class AdminCommandError(Exception):
    """An invalid command; the message gives the reason."""


def respond(
    request: Request,
    command: str,
    execute: Callable[[str, Any], dict[str, Any]],
    error_types: tuple[type[Exception], ...] = (),
) -> Response:
    """Executes `METHOD command` with the body; refuses pages in a browser."""
    host = urlsplit(f"//{request.host}").hostname
    if request.remote_addr not in _LOOPBACK or host not in _LOOPBACK or "Origin" in request.headers:
        return _json({"error": "only for programs on this machine"}, 403)
    try:
        return _json(execute(f"{request.method} {command}", json.loads(request.get_data() or b"{}")))
    except (ValueError, AdminCommandError) as error:
        return _json({"error": str(error)}, 400)
    except error_types as error:
        return _json({"error": str(error)}, 400)


def _json(document: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
