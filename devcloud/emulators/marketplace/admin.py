"""What tests and developers may order: what customers do, odd shapes, its pace, trouble; and what happened."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from werkzeug.wrappers import Request, Response

from devcloud.emulators.entra.faults import Endpoint, Fault, Faults
from devcloud.emulators.marketplace.api import RULES, as_json
from devcloud.emulators.marketplace.delivery import Delivery
from devcloud.emulators.marketplace.model import Operation
from devcloud.emulators.marketplace.operations import Operations
from devcloud.emulators.marketplace.publisher import Publisher
from devcloud.emulators.marketplace.refusal import Refused
from devcloud.emulators.marketplace.sales import Purchase, Sales
from devcloud.emulators.marketplace.switches import Behaviour, Pace, Shapes


AFTER: Final = ".answer"  # trouble of this name comes after the work was done: its answer is lost
_LOOPBACK: Final = {"127.0.0.1", "localhost"}
_FAULTS: Final = TypeAdapter(dict[str, Fault])
_ENDPOINTS: Final = {rule.endpoint for rule in RULES}


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfOne(_Order):
    """An order about one subscription; where a plan or a quantity is meant, one of them is given."""

    subscription: str
    plan: str | None = None
    quantity: Annotated[int, Field(ge=0)] | None = None


class NewLink(_Order):
    subscription: str
    kind: Literal["fresh", "expired", "garbage"] = "fresh"


class Pages(_Order):
    """Where the publisher's pages are from now on."""

    landing: str
    webhook: str


class Release(_Order):
    """Which held events go, in which order; an operation may be named more than once.

    So many `workers` take them one after another, each its next one when its last was heard.
    """

    operations: list[str] | None = None
    workers: Annotated[int, Field(ge=1, le=50)] = 1


class RawEvent(_Order):
    """One webhook call as it is ordered, true or not; a claim given as null is left out."""

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
        behaviour: Behaviour,
    ) -> None:
        self._publisher, self._operations, self._sales = publisher, operations, sales
        self._delivery, self._faults, self._behaviour = delivery, faults, behaviour
        self._orders: dict[str, Callable[[Any], dict[str, Any]]] = {
            "POST buy": self._buy,
            "POST link": self._new_link,
            "POST change": self._customer(lambda one: sales.change(one.subscription, one.plan, one.quantity, "Azure")),
            "POST suspend": self._customer(lambda one: sales.suspend(one.subscription)),
            "POST reinstate": self._customer(lambda one: sales.reinstate(one.subscription)),
            "POST renew": self._customer(lambda one: sales.renew(one.subscription)),
            "POST unsubscribe": self._customer(lambda one: sales.unsubscribe(one.subscription, "Azure")),
            "POST shapes": self._shape,
            "POST pace": self._set_pace,
            "POST pages": self._set_pages,
            "POST release": self._release,
            "POST event": self._event,
            "POST faults": self._trouble,
            "DELETE faults": self._no_trouble,
            "GET stats": self._stats,
        }

    def answer(self, request: Request, order: str) -> Response:
        """Carries out an order; only programs on this machine may give one, not pages in a browser."""
        host = urlsplit(f"//{request.host}").hostname
        if request.remote_addr not in _LOOPBACK or host not in _LOOPBACK or "Origin" in request.headers:
            return as_json({"error": "only for programs on this machine"}, 403)
        try:
            return as_json(self.carry_out(f"{request.method} {order}", json.loads(request.get_data() or b"{}")))
        except Refused as error:
            return as_json({"error": error.message}, error.status)
        except (ValidationError, ValueError) as error:
            return as_json({"error": str(error)}, 400)

    def carry_out(self, order: str, given: Any) -> dict[str, Any]:  # noqa: ANN401 - each order checks its own
        """Raises Refused or ValidationError for an order that makes no sense."""
        if order not in self._orders:
            raise Refused(404, "NotFound", f"there is no {order}")
        return self._orders[order](given)

    def order_faults(self, faults: dict[str, Fault]) -> None:
        """Trouble at an endpoint instead of its work, or, at `endpoint.answer`, after it."""
        unknown = {name for name in faults if name.removesuffix(AFTER) not in _ENDPOINTS}
        if unknown:
            raise Refused(400, "BadArgument", f"there is no endpoint {', '.join(sorted(unknown))}")
        self._faults.order(cast("dict[Endpoint, Fault]", faults))

    def _buy(self, given: object) -> dict[str, Any]:
        bought = self._sales.buy(Purchase.model_validate(given))
        return {"subscription": bought.id, **self._link(bought.id, "fresh")}

    def _new_link(self, given: object) -> dict[str, Any]:
        wanted = NewLink.model_validate(given)
        return {"subscription": wanted.subscription, **self._link(wanted.subscription, wanted.kind)}

    def _customer(self, verb: Callable[[OfOne], Operation | None]) -> Callable[[Any], dict[str, Any]]:
        """An order that a customer's doing comes to; it begins an operation, or ends what never began."""

        def carry_out(given: object) -> dict[str, Any]:
            operation = verb(OfOne.model_validate(given))
            return {"operation": None if operation is None else operation.id}

        return carry_out

    def _shape(self, given: dict[str, Any]) -> dict[str, Any]:
        self._behaviour.shapes = Shapes(**{**self._behaviour.shapes.model_dump(), **given})
        return self._behaviour.shapes.model_dump()

    def _set_pace(self, given: dict[str, Any]) -> dict[str, Any]:
        self._behaviour.pace = Pace(**{**self._behaviour.pace.model_dump(), **given})
        return self._behaviour.pace.model_dump()

    def _set_pages(self, given: object) -> dict[str, Any]:
        pages = Pages.model_validate(given)
        self._publisher.landing_url, self._publisher.webhook_url = pages.landing, pages.webhook
        return {}

    def _release(self, given: object) -> dict[str, Any]:
        wanted = Release.model_validate(given)
        return {"released": self._delivery.release(wanted.operations, wanted.workers)}

    def _event(self, given: object) -> dict[str, Any]:
        raw = RawEvent.model_validate(given)
        return {"status": self._delivery.once(raw.body, raw.claims, raw.key, raw.authorization)}

    def _trouble(self, given: object) -> dict[str, Any]:
        self.order_faults(_FAULTS.validate_python(given))
        return {}

    def _no_trouble(self, _given: object) -> dict[str, Any]:
        self._faults.clear()
        return {}

    def _link(self, subscription_id: str, kind: str) -> dict[str, str]:
        """The address the buyer's browser is sent to; its token is URL-encoded."""
        token = "garbage+of/nobody=" if kind == "garbage" else self._new_token(subscription_id, kind)
        return {"token": token, "landingUrl": f"{self._publisher.landing_url}?token={quote(token, safe='')}"}

    def _new_token(self, subscription_id: str, kind: str) -> str:
        return self._sales.new_token(subscription_id, expired=kind == "expired")

    def _stats(self, _given: object) -> dict[str, Any]:
        with self._operations.looking() as state:
            kept = state.model_dump(mode="json", exclude={"tokens"})
        hits = {name: count for name, count in self._faults.hits().items() if not name.endswith(AFTER)}
        return {
            **kept,
            "hits": hits,
            "attempts": self._delivery.attempts(),
            "held": self._delivery.held(),
            "busy": self._delivery.busy(),
        }
