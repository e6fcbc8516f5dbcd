"""Serves an emulator on loopback: HTTP/1.1 with persistent connections, one thread each, complete responses."""

import io
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from wsgiref.types import WSGIApplication

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

from devcloud.ports import LOOPBACK, listen


MAX_BODY_BYTES: Final = 1024 * 1024
SEND_RATE: Final = "devcloud.pace"


@dataclass(slots=True)
class SendRate:
    """The speed of a response: at once, or byte by byte with pauses; the app may change it."""

    seconds: float | None = None
    with_head: bool = False
    released: threading.Event = field(default_factory=threading.Event)  # set: sends the rest at once


class KeepAliveHandler(WSGIRequestHandler):
    """Persistent connections; werkzeug's own handler closes every connection.

    It reads the body by its length before the app runs, so the next request can follow.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, [("Connection", "close")], b"")
            return
        pace = SendRate()
        environ = {**self.make_environ(), "wsgi.input": io.BytesIO(body), SEND_RATE: pace}
        try:
            parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
            self._send(HTTPStatus(int(status[:3])), list(headers), b"".join(parts), pace)
        except OSError:
            raise  # the connection is closed, by the caller or by a fault
        except Exception:  # noqa: BLE001 - an error of the emulator is a 500
            traceback.print_exc(file=sys.stderr)
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, [], b"")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The emulator counts requests instead of printing them."""

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return None
        return self.rfile.read(int(length))

    def _send(
        self, status: HTTPStatus, headers: list[tuple[str, str]], body: bytes, pace: SendRate | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        body = b"" if self.command == "HEAD" else body
        if pace is None or pace.seconds is None:
            self.end_headers()
            self.wfile.write(body)
            return
        head = io.BytesIO()
        if pace.with_head:
            self.wfile, wire = head, self.wfile
            self.end_headers()
            self.wfile = wire
        else:
            self.end_headers()
        for byte in head.getvalue() + body:
            self.wfile.write(bytes([byte]))
            pace.released.wait(pace.seconds)


@contextmanager
def serving(make_app: Callable[[str], WSGIApplication], *, port: int) -> Iterator[str]:
    """Serves `make_app(url)` on a thread until the block ends; port 0 takes a free one. Yields the URL.

    Raises:
        PortUnusable: the port is in use, or the system refuses it.
    """
    with listen(port) as listening:
        url = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        server = make_server(
            LOOPBACK,
            listening.getsockname()[1],
            make_app(url),
            threaded=True,
            request_handler=KeepAliveHandler,
            fd=listening.fileno(),
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name=url, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
