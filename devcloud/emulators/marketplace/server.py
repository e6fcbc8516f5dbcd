"""The emulator itself: its addresses, and which part answers at each."""

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
from devcloud.emulators.marketplace.admin import AFTER, Admin
from devcloud.emulators.marketplace.api import RULES, Api, refusal, with_ids
from devcloud.emulators.marketplace.delivery import Delivery
from devcloud.emulators.marketplace.metering import Meter
from devcloud.emulators.marketplace.model import Memory
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.page import Page
from devcloud.emulators.marketplace.publisher import Publisher, Tokens
from devcloud.emulators.marketplace.refusal import Refused
from devcloud.emulators.marketplace.sales import Sales
from devcloud.emulators.marketplace.switches import Behaviour
from devcloud.emulators.server import serving
from shared import clock


PORT: Final = 7073
_METERING: Final = {"usage", "usage_batch", "usage_list"}
_ADDRESSES: Final = Map(
    [
        *(rule.empty() for rule in RULES),
        Rule("/admin/<order>", endpoint="admin"),
        Rule("/", endpoint="page", methods=["GET"]),
        Rule("/order/<order>", endpoint="page", methods=["POST"]),
    ]
)


@dataclass(frozen=True, slots=True)
class Options:
    """Where things are: `data` keeps what was sold; `authority` is the stand-in for Entra."""

    data: Path
    authority: str
    publisher: Publisher


class Marketplace:
    """A WSGI application; the API's base address is `{url}/api`."""

    def __init__(
        self, url: str, options: Options, now: Callable[[], dt.datetime], monotonic: Callable[[], float]
    ) -> None:
        self.url = url
        self.faults, self.behaviour = Faults(), Behaviour()
        self._tokens = Tokens(options.authority, options.publisher, now)
        self.delivery = Delivery(
            options.publisher,
            self._tokens,
            self.behaviour,
            now=now,
            answered=self._answered,
        )
        memory = Memory(options.data / "marketplace" / "state.json")
        self.operations = Operations(memory, self.behaviour, now=now, monotonic=monotonic, tell=self.delivery.tell)
        self.sales = Sales(self.operations)
        self.admin = Admin(
            options.publisher, self.operations, self.sales, self.delivery, faults=self.faults, behaviour=self.behaviour
        )
        self._api = Api(url, self.operations, self.sales, Meter(self.operations))
        self._page = Page(url, self.admin, self.operations)

    def _answered(self, operation_id: str, *, accepted: bool) -> None:
        self.operations.answered(operation_id, accepted=accepted)

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
                return self.admin.answer(request, values["order"])
            case "page":
                return self._page.answer(request, values.get("order"))
        return with_ids(request, self._publisher_call(request, endpoint, values))

    def _publisher_call(self, request: Request, endpoint: str, values: Mapping[str, Any]) -> Response:
        """Trouble comes instead of the work, or after it, when only the answer is lost."""
        if (trouble := self.faults.meet(endpoint)) is not None:
            return trouble
        try:
            self._tokens.check(request)
            response = self._api.answer(request, endpoint, values)
        except Refused as error:
            response = refusal(error, metering=endpoint in _METERING)
        return self.faults.meet(f"{endpoint}{AFTER}") or response


@contextmanager
def running(
    options: Options,
    *,
    port: int = PORT,
    now: Callable[[], dt.datetime] = clock.now,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Marketplace]:
    """The stand-in, serving until the block ends; port 0 takes a free one.

    Raises:
        PortUnusable: the port is in use, or the system refuses it.
    """
    made: list[Marketplace] = []

    def make(url: str) -> Marketplace:
        made.append(Marketplace(url, options, now, monotonic))
        return made[0]

    with serving(make, port=port):
        try:
            yield made[0]
        finally:
            made[0].faults.clear()  # whoever hangs is let go
            made[0].delivery.stop()
