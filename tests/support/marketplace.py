"""The Marketplace emulator: a real server with a real webhook receiver, and admin commands over HTTP."""

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

import requests
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.clients import MARKETPLACE_API, PUBLISHER
from devcloud.emulators.entra.people import VENDOR
from devcloud.emulators.marketplace import server
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.emulators.server import serving
from shared import clock


TENANT_ID = VENDOR.tid
CLIENT_ID = PUBLISHER.id
CLIENT_SECRET = str(PUBLISHER.secret)
SCOPE = f"{MARKETPLACE_API.id}/.default"
VERSION = {"api-version": "2018-08-31"}
AT_ONCE = {"Retry-After": "0"}


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for a condition, with growing pauses, since each check is a request."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        assert waited < seconds, "the condition did not become true in time"
        time.sleep(min(max(0.005, waited / 4), 0.1))


@dataclass
class Call:
    """A received call."""

    authorization: str
    body: Any


@dataclass
class Receiver:
    """A webhook that stores its calls, and responds with the next of `statuses`, or 200."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    during: Callable[[Any], None] = lambda _body: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        body = json.loads(request.get_data() or b"null")
        self.during(body)
        with self.lock:
            self.calls.append(Call(request.headers.get("Authorization", ""), body))
            status = self.statuses.pop(0) if self.statuses else 200
        return Response(status=status)(environ, start_response)

    def actions(self) -> list[str]:
        with self.lock:
            return [call.body.get("action") or call.body.get("operationType") for call in self.calls]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(lambda _url: receiver, port=0) as url:
        receiver.url = url
        yield receiver


@dataclass(frozen=True)
class Marketplace:
    emulator: server.Marketplace
    authority: str
    token: str

    @property
    def api_url(self) -> str:
        return f"{self.emulator.url}/api"

    def execute(self, name: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Executes an admin command, which must succeed. Faults ask for no pause before a retry by default."""
        if name == "faults":
            given = {endpoint: {"headers": AT_ONCE, **fault} for endpoint, fault in given.items()}
        answer = requests.post(f"{self.emulator.url}/admin/{name}", json=given, timeout=10)
        assert answer.ok, answer.text
        done: dict[str, Any] = answer.json()
        return done

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = requests.get(f"{self.emulator.url}/admin/stats", timeout=10).json()
        return stats

    def buy(self, **purchase: Any) -> str:  # noqa: ANN401 - the fields of a purchase
        """Buys, and returns the id of the subscription; with `active=True` it is active at once."""
        return str(self.execute("buy", **purchase)["subscription"])

    def purchase_token(self, subscription: str, kind: str = "fresh") -> str:
        """The decoded token of the landing page's address."""
        link = self.execute("link", subscription=subscription, kind=kind)["landingUrl"]
        return str(parse_qs(urlsplit(link).query)["token"][0])

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """Calls the API as the publisher."""
        bearer = {"Authorization": f"Bearer {self.token if token is None else token}", **(headers or {})}
        url = path if path.startswith("http") else f"{self.api_url}/{path}"
        asked = {} if "api-version=" in url else {**VERSION, **(query or {})}
        return requests.request(method, url, json=body, params=asked, headers=bearer, timeout=10)

    def status(self, subscription: str) -> str:
        status: str = self.send("GET", f"saas/subscriptions/{subscription}").json()["saasSubscriptionStatus"]
        return status

    def wait_until_idle(self) -> None:
        """Waits for the end of all webhook calls."""
        wait_until(lambda: self.stats()["busy"] == 0)


def app_token(authority: str, *, tenant: str = TENANT_ID, client: str = CLIENT_ID, scope: str = SCOPE) -> str:
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": CLIENT_SECRET, "scope": scope}
    answer = requests.post(f"{authority}/{tenant}/oauth2/v2.0/token", data=form, timeout=10)
    token: str = answer.json()["access_token"]
    return token


@contextmanager
def running(
    folder: Path,
    authority: str,
    *,
    webhook: str = "http://127.0.0.1:9/webhook",
    landing: str = "http://127.0.0.1:9/landing",
    now: Callable[[], dt.datetime] = clock.now,
) -> Iterator[Marketplace]:
    options = server.Options(folder, authority, Publisher(landing, webhook))
    with server.running(options, port=0, now=now) as emulator:
        emulator.behavior.pace = emulator.behavior.pace.model_copy(update={"ack_seconds": 0.4, "retry_seconds": 0.05})
        yield Marketplace(emulator, authority, app_token(authority))
