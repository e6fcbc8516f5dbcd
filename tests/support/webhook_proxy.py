"""A proxy between the Marketplace emulator and the hosts that delays calls and loses some calls and responses."""

import random
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from wsgiref.types import StartResponse, WSGIEnvironment

import requests
from werkzeug.wrappers import Request, Response

from devcloud.emulators.server import serving


@dataclass
class WebhookProxy:
    """Each call goes to one of the hosts; `first` gets the next call alone."""

    url: str = ""
    hosts: list[str] = field(default_factory=list)
    first: str | None = None
    dice: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - spreads, hides nothing
    loss_rate: float = 0.0
    max_delay: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        with self._lock:
            base, self.first = self.first or self.dice.choice(self.hosts), None
            lost_call, lost_answer = self.dice.random() < self.loss_rate, self.dice.random() < self.loss_rate
            pause = self.dice.random() * self.max_delay
        time.sleep(pause)
        status = 502 if lost_call else self._forward(base, request)
        return Response(status=502 if lost_answer else status)(environ, start_response)

    def _forward(self, base: str, request: Request) -> int:
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
        try:
            answer = requests.post(
                f"{base}/api/marketplace/webhook", data=request.get_data(), headers=headers, timeout=15
            )
        except requests.RequestException:
            return 502
        return answer.status_code


@contextmanager
def running() -> Iterator[WebhookProxy]:
    proxy = WebhookProxy()
    with serving(lambda _url: proxy, port=0) as url:
        proxy.url = url
        yield proxy
