"""The HTTP side of the local Functions host: requests and responses by the platform's rules."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from devcloud.functions.routing import Router
from devcloud.functions.schedule import Timers
from devcloud.functions.start_page import start_page
from devcloud.functions.worker import HttpRequest, HttpResponse, Worker


MAX_BODY_BYTES = 100 * 1024 * 1024
LOOPBACK = {"127.0.0.1", "::1"}
ADMIN = "/admin/functions/"
NOT_FOUND = HttpResponse(404, [], b"")
WITHOUT_LENGTH = {204, 304}
OURS = {"content-length", "transfer-encoding", "connection"}

log = logging.getLogger("devcloud.functions.host")


class HostFileError(Exception):
    """host.json cannot be used; the message has the reason."""


class HttpFrontend:
    """The ASGI application: passes requests to functions and returns their responses."""

    def __init__(self, worker: Worker, timers: Timers, prefix: str, *, logs_requests: bool = False) -> None:
        self._worker = worker
        self._timers = timers
        self._router = Router(worker.functions.values(), prefix)
        self._prefix = prefix
        self._logs_requests = logs_requests

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own shapes
        response = await self._respond(scope, receive)
        try:
            headers = _encode_headers(response)
        except UnicodeEncodeError:
            log.error("%s: a response header holds more than ASCII, which the platform refuses", scope["path"])  # noqa: TRY400
            response, headers = HttpResponse(500, [], b""), [(b"content-length", b"0")]
        if self._logs_requests:  # without the query, which may hold names and tokens
            log.info("%s %s %d", scope["method"], scope["path"], response.status)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, scope: Any, receive: Any) -> HttpResponse:  # noqa: ANN401 - ASGI's own shapes
        raw_path = scope["raw_path"].decode("latin-1")
        if raw_path.startswith(ADMIN):
            return self._run_timer(scope, raw_path.removeprefix(ADMIN))
        match = self._router.find(scope["method"], raw_path)
        if match is None:
            is_start = scope["method"] == "GET" and raw_path == "/"
            return start_page(self._worker.functions.values(), self._prefix) if is_start else NOT_FOUND
        try:
            headers = join_headers(scope["headers"])
        except UnicodeDecodeError:
            return HttpResponse(400, [], b"")
        length = headers.get("content-length", "0")
        if int(length) > MAX_BODY_BYTES:
            return HttpResponse(413, [], b"")
        query = scope["query_string"].decode("latin-1")
        call = HttpRequest(
            method=scope["method"],
            url=f"http://{headers.get('host', 'localhost')}{raw_path}{'?' if query else ''}{query}",
            headers=headers,
            query=join_query(query),
            params=match.params,
            # the platform does not pass on a chunked body, which has no length
            body=await _read_body(receive) if length != "0" else b"",
        )
        return await self._worker.http(match.function, call)

    def _run_timer(self, scope: Any, name: str) -> HttpResponse:  # noqa: ANN401 - ASGI's own shapes
        if scope["method"] != "POST" or not scope["client"] or scope["client"][0] not in LOOPBACK:
            return NOT_FOUND
        return HttpResponse(202, [], b"") if self._timers.run_now(name) else NOT_FOUND


def route_prefix(app_dir: Path) -> str:
    """The prefix of all routes in host.json.

    Raises:
        HostFileError: host.json is missing or not JSON.
    """
    path = app_dir / "host.json"
    try:
        text = path.read_text(encoding="utf-8-sig")
        return str(json.loads(text).get("extensions", {}).get("http", {}).get("routePrefix", "api"))
    except OSError as error:
        raise HostFileError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, AttributeError) as error:
        raise HostFileError(f"{path} is not a host.json: {error}") from error


def join_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lowercase names; values of a repeated header joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def join_query(query: str) -> dict[str, str]:
    """Drops empty values and joins repeated ones by commas; names ignore case."""
    if not query:
        return {}
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    for given, value in parse_qsl(query):
        name = names.setdefault(given.lower(), given)
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


async def _read_body(receive: Any) -> bytes:  # noqa: ANN401 - ASGI's own shapes
    message = await receive()
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _encode_headers(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    headers = [
        (name.encode("ascii"), value.encode("ascii")) for name, value in response.headers if name.lower() not in OURS
    ]
    if response.status not in WITHOUT_LENGTH:
        headers.append((b"content-length", str(len(response.body)).encode()))
    return headers
