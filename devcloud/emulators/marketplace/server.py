"""The emulator: its routes."""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.faults import Faults
from devcloud.emulators.marketplace.admin import AFTER_WORK, Admin
from devcloud.emulators.marketplace.api import RULES, Api, add_request_ids, error_response
from devcloud.emulators.marketplace.behavior import Behavior
from devcloud.emulators.marketplace.delivery import Delivery
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.metering import Meter
from devcloud.emulators.marketplace.model import StateFile
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.page import Page
from devcloud.emulators.marketplace.publisher import Publisher, Tokens
from devcloud.emulators.marketplace.sales import Sales
from devcloud.emulators.server import serving
from shared import clock


PORT: Final = 7073
_METERING: Final = {"usage", "usage_batch", "usage_list"}
_ADDRESSES: Final = Map(
    [
        *(rule.empty() for rule in RULES),
        Rule("/admin/<command>", endpoint="admin"),
        Rule("/", endpoint="page", methods=["GET"]),
        Rule("/command/<command>", endpoint="page", methods=["POST"]),
    ]
)


@dataclass(frozen=True, slots=True)
class Options:
    """`data` is the folder of the state; `authority` is the Entra emulator."""

    data: Path
    authority: str
    publisher: Publisher


class Marketplace:
    """A WSGI application; the API's base address is `{url}/api`."""

    def __init__(
        self, url: str, options: Options, now: Callable[[], dt.datetime], monotonic: Callable[[], float]
    ) -> None:
        self.url = url
        self.faults, self.behavior = Faults(), Behavior()
        self._tokens = Tokens(options.authority, options.publisher, now)
        self.delivery = Delivery(
            options.publisher,
            self._tokens,
            self.behavior,
            now=now,
            on_response=self._handle_response,
        )
        memory = StateFile(options.data / "marketplace" / "state.json")
        self.operations = Operations(
            memory, self.behavior, now=now, monotonic=monotonic, send_event=self.delivery.send_event
        )
        self.sales = Sales(self.operations)
        self.admin = Admin(
            options.publisher, self.operations, self.sales, self.delivery, faults=self.faults, behavior=self.behavior
        )
        self._api = Api(url, self.operations, self.sales, Meter(self.operations))
        self._page = Page(url, self.admin, self.operations)

    def _handle_response(self, operation_id: str, *, accepted: bool) -> None:
        self.operations.handle_response(operation_id, accepted=accepted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            endpoint, values = _ADDRESSES.bind_to_environ(environ).match()
            response = self._respond(request, endpoint, values)
        except HTTPException as error:
            return error(environ, start_response)
        return response(environ, start_response)

    def _respond(self, request: Request, endpoint: str, values: Mapping[str, Any]) -> Response:
        match endpoint:
            case "admin":
                return self.admin.handle(request, values["command"])
            case "page":
                return self._page.handle(request, values.get("command"))
        return add_request_ids(request, self._publisher_call(request, endpoint, values))

    def _publisher_call(self, request: Request, endpoint: str, values: Mapping[str, Any]) -> Response:
        """Handles a call of the publisher; a fault replaces the work, or only its response."""
        if (fault_response := self.faults.apply(endpoint)) is not None:
            return fault_response
        try:
            self._tokens.check(request)
            response = self._api.handle(request, endpoint, values)
        except MarketplaceError as error:
            response = error_response(error, metering=endpoint in _METERING)
        return self.faults.apply(f"{endpoint}{AFTER_WORK}") or response


@contextmanager
def running(
    options: Options,
    *,
    port: int = PORT,
    now: Callable[[], dt.datetime] = clock.now,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Marketplace]:
    """Runs the emulator until the block ends; port 0 takes a free port.

    Raises:
        PortUnusable: the port is in use, or the system refuses it.
    """
    emulators: list[Marketplace] = []

    def make(url: str) -> Marketplace:
        emulators.append(Marketplace(url, options, now, monotonic))
        return emulators[0]

    with serving(make, port=port):
        try:
            yield emulators[0]
        finally:
            emulators[0].faults.clear()  # ends waiting requests
            emulators[0].delivery.stop()
