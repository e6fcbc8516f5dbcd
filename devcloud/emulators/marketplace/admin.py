"""Admin commands: actions of customers, response shapes, timing, faults, and statistics."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.faults import Endpoint, Fault, Faults
from devcloud.emulators.marketplace.api import RULES, as_json
from devcloud.emulators.marketplace.behavior import Behavior, MarketplacePace, ResponseShapes
from devcloud.emulators.marketplace.delivery import Delivery
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.model import Operation
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.emulators.marketplace.sales import Purchase, Sales


AFTER_WORK: Final = ".answer"  # suffix of faults after the work: only the response is lost
_LOOPBACK: Final = {"127.0.0.1", "localhost"}
_FAULTS: Final = TypeAdapter(dict[str, Fault])
_ENDPOINTS: Final = {rule.endpoint for rule in RULES}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SubscriptionChange(_Body):
    """A change of one subscription, with a plan or a quantity if needed."""

    subscription: str
    plan: str | None = None
    quantity: Annotated[int, Field(ge=0)] | None = None


class NewLink(_Body):
    subscription: str
    kind: Literal["fresh", "expired", "garbage"] = "fresh"


class Pages(_Body):
    """The addresses of the publisher's pages."""

    landing: str
    webhook: str


class Release(_Body):
    """The held events to send, in order; an operation may be repeated.

    So many `workers` send them, each its next one after the last was accepted.
    """

    operations: list[str] | None = None
    workers: Annotated[int, Field(ge=1, le=50)] = 1


class RawEvent(_Body):
    """One webhook call with true or false content; claims with null are omitted."""

    body: Any = None
    claims: dict[str, Any] = {}
    key: Literal["current", "unpublished"] = "current"
    authorization: str | None = None


class Admin:
    def __init__(
        self,
        publisher: Publisher,
        operations: Operations,
        sales: Sales,
        delivery: Delivery,
        *,
        faults: Faults,
        behavior: Behavior,
    ) -> None:
        self._publisher, self._operations, self._sales = publisher, operations, sales
        self._delivery, self._faults, self._behavior = delivery, faults, behavior
        self._commands: dict[str, Callable[[Any], dict[str, Any]]] = {
            "POST buy": self._buy,
            "POST link": self._new_link,
            "POST change": self._customer_command(
                lambda one: sales.change(one.subscription, one.plan, one.quantity, "Azure")
            ),
            "POST suspend": self._customer_command(lambda one: sales.suspend(one.subscription)),
            "POST reinstate": self._customer_command(lambda one: sales.reinstate(one.subscription)),
            "POST renew": self._customer_command(lambda one: sales.renew(one.subscription)),
            "POST unsubscribe": self._customer_command(lambda one: sales.unsubscribe(one.subscription, "Azure")),
            "POST shapes": self._shape,
            "POST pace": self._set_pace,
            "POST pages": self._set_pages,
            "POST release": self._release,
            "POST event": self._event,
            "POST faults": self._set_faults,
            "DELETE faults": self._clear_faults,
            "GET stats": self._stats,
        }

    def handle(self, request: Request, command: str) -> Response:
        """Executes a command, for programs on this machine only, not for pages in a browser."""
        host = urlsplit(f"//{request.host}").hostname
        if request.remote_addr not in _LOOPBACK or host not in _LOOPBACK or "Origin" in request.headers:
            return as_json({"error": "only for programs on this machine"}, 403)
        try:
            return as_json(self.execute(f"{request.method} {command}", json.loads(request.get_data() or b"{}")))
        except MarketplaceError as error:
            return as_json({"error": error.message}, error.status)
        except (ValidationError, ValueError) as error:
            return as_json({"error": str(error)}, 400)

    def execute(self, command: str, document: Any) -> dict[str, Any]:  # noqa: ANN401 - each command checks its own
        """Raises MarketplaceError or ValidationError for an invalid command."""
        if command not in self._commands:
            raise MarketplaceError(404, "NotFound", f"unknown command {command}")
        return self._commands[command](document)

    def set_faults(self, faults: dict[str, Fault]) -> None:
        """Sets faults of endpoints, or, as `endpoint.answer`, after their work."""
        unknown = {name for name in faults if name.removesuffix(AFTER_WORK) not in _ENDPOINTS}
        if unknown:
            raise MarketplaceError(400, "BadArgument", f"unknown endpoint {', '.join(sorted(unknown))}")
        self._faults.set(cast("dict[Endpoint, Fault]", faults))

    def _buy(self, document: object) -> dict[str, Any]:
        subscription = self._sales.buy(Purchase.model_validate(document))
        return {"subscription": subscription.id, **self._link(subscription.id, "fresh")}

    def _new_link(self, document: object) -> dict[str, Any]:
        body = NewLink.model_validate(document)
        return {"subscription": body.subscription, **self._link(body.subscription, body.kind)}

    def _customer_command(
        self, action: Callable[[SubscriptionChange], Operation | None]
    ) -> Callable[[Any], dict[str, Any]]:
        """A command for an action of a customer; returns the id of its operation, if any."""

        def execute(document: object) -> dict[str, Any]:
            operation = action(SubscriptionChange.model_validate(document))
            return {"operation": None if operation is None else operation.id}

        return execute

    def _shape(self, document: dict[str, Any]) -> dict[str, Any]:
        self._behavior.shapes = ResponseShapes(**{**self._behavior.shapes.model_dump(), **document})
        return self._behavior.shapes.model_dump()

    def _set_pace(self, document: dict[str, Any]) -> dict[str, Any]:
        self._behavior.pace = MarketplacePace(**{**self._behavior.pace.model_dump(), **document})
        return self._behavior.pace.model_dump()

    def _set_pages(self, document: object) -> dict[str, Any]:
        pages = Pages.model_validate(document)
        self._publisher.landing_url, self._publisher.webhook_url = pages.landing, pages.webhook
        return {}

    def _release(self, document: object) -> dict[str, Any]:
        body = Release.model_validate(document)
        return {"released": self._delivery.release(body.operations, body.workers)}

    def _event(self, document: object) -> dict[str, Any]:
        raw = RawEvent.model_validate(document)
        return {"status": self._delivery.send_once(raw.body, raw.claims, raw.key, raw.authorization)}

    def _set_faults(self, document: object) -> dict[str, Any]:
        self.set_faults(_FAULTS.validate_python(document))
        return {}

    def _clear_faults(self, _given: object) -> dict[str, Any]:
        self._faults.clear()
        return {}

    def _link(self, subscription_id: str, kind: str) -> dict[str, str]:
        """The landing address for the buyer's browser, with the URL-encoded token."""
        token = "garbage+of/nobody=" if kind == "garbage" else self._new_token(subscription_id, kind)
        return {"token": token, "landingUrl": f"{self._publisher.landing_url}?token={quote(token, safe='')}"}

    def _new_token(self, subscription_id: str, kind: str) -> str:
        return self._sales.new_token(subscription_id, expired=kind == "expired")

    def _stats(self, _given: object) -> dict[str, Any]:
        with self._operations.reading() as state:
            state_document = state.model_dump(mode="json", exclude={"tokens"})
        hits = {name: count for name, count in self._faults.hits().items() if not name.endswith(AFTER_WORK)}
        return {
            **state_document,
            "hits": hits,
            "attempts": self._delivery.attempts(),
            "held": self._delivery.held_events(),
            "busy": self._delivery.busy(),
        }
