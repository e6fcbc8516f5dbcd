"""The client: what TimeTracker asks of the Azure Marketplace, call by call; `meter` is told what was used."""

import re
from collections.abc import Iterator
from typing import Any, Final, Self

import requests

from billing.marketplace.deadline import Flow
from billing.marketplace.errors import Conflicting, NotKnown, Refused, TokenRefused, Unreadable
from billing.marketplace.metering import Meter
from billing.marketplace.model import SUBSCRIBED, Operation, Plan, Subscription, UnreadableRow, listed
from billing.marketplace.tokens import IdentityTokens, SecretTokens, TokenSource
from billing.marketplace.transport import Answer, Call, Http
from shared.http_client import new_session
from shared.settings import GUID, Settings


_SUBSCRIPTIONS: Final = "saas/subscriptions"
_PURCHASE_TOKEN: Final = re.compile(r"\A[\x21-\x7e]{1,8192}\Z")
_OPERATION: Final = re.compile(r"/operations/([0-9a-f-]{36})(?:[/?]|\Z)", re.IGNORECASE)
_MOST_PAGES: Final = 10_000


class Marketplace:
    """Every call takes the flow it belongs to, and raises Refused, Unreachable or Unreadable as `errors` says.

    Threads may share it. Activating and acknowledging twice is the same as once.
    """

    def __init__(self, base: str, tokens: TokenSource, session: requests.Session, dimension: str = "") -> None:
        """`dimension` is the one that usage is told in, where a plan has several."""
        self._http = Http(base, tokens, session)
        self._dimension = dimension
        self.meter = Meter(self._http)
        self._tokens, self._session = tokens, session

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The client that the settings describe; nothing is connected before it is used."""
        session = new_session()
        dimension = settings.marketplace_metering_dimension
        return cls(settings.marketplace_api_url, _tokens(settings, session), session, dimension)

    def close(self) -> None:
        self._tokens.close()
        self._session.close()

    def resolve(self, purchase_token: str, flow: Flow) -> Subscription:
        """The subscription behind the token of a landing page's address, decoded; lost plus signs are put back.

        Raises:
            TokenRefused: the token is garbage, or older than a day. Nothing else says anything about the token.
        """
        token = purchase_token.strip().replace(" ", "+")
        if not _PURCHASE_TOKEN.match(token):
            raise TokenRefused("malformed_token")
        call = Call("resolve", "POST", f"{_SUBSCRIPTIONS}/resolve", headers={"x-ms-marketplace-token": token})
        try:
            told = self._http.send(call, flow).document()
        except Refused as error:
            if error.status == requests.codes.bad_request:
                raise TokenRefused(error.code) from None
            raise
        found = told.get("subscription") if isinstance(told, dict) else None
        if found is None and isinstance(told, dict):
            return self.get(str(told.get("id")), flow)  # older answers name it only
        subscription = Subscription.read(found)
        if str(told.get("id", "")).lower() != subscription.id:
            raise Unreadable("two_subscriptions")
        return subscription

    def activate(self, subscription_id: str, plan_id: str, quantity: int | None, flow: Flow) -> None:
        """Begins what was bought. It may take minutes until the subscription shows it; `get` tells."""
        body: dict[str, Any] = {"planId": plan_id} if quantity is None else {"planId": plan_id, "quantity": quantity}
        try:
            self._http.send(Call("activate", "POST", f"{_path(subscription_id)}/activate", body), flow)
        except Refused as error:
            # A second activation is refused with 400; that may be our own first one, whose answer was lost.
            if error.status != requests.codes.bad_request or self.get(subscription_id, flow).status != SUBSCRIBED:
                raise

    def get(self, subscription_id: str, flow: Flow) -> Subscription:
        """Raises NotKnown for one that is not ours, or is none."""
        answer = self._http.send(Call("get_subscription", "GET", _path(subscription_id)), flow)
        subscription = Subscription.read(answer.document())
        if subscription.id != subscription_id.lower():
            raise Unreadable("other_subscription")
        return subscription

    def subscriptions(self, flow: Flow) -> Iterator[Subscription | UnreadableRow]:
        """All of all offers and in all states, page by page; one that cannot be read does not hide the others.

        Raises:
            Unreadable: the link to the next page leads elsewhere, or in a circle.
        """
        call, seen = Call("list_subscriptions", "GET", _SUBSCRIPTIONS), set[str]()
        for _ in range(_MOST_PAGES):
            told = self._http.send(call, flow).document()
            for row in listed(told, "subscriptions"):
                yield _row(row)
            link = told.get("@nextLink") if isinstance(told, dict) else None
            if not link:
                return
            if not isinstance(link, str) or (path := self._http.own(link)) in seen:
                raise Unreadable("endless_list")
            seen.add(path)
            call = Call("list_subscriptions", "GET", path)
        raise Unreadable("endless_list")

    def plans(self, subscription_id: str, flow: Flow) -> list[Plan]:
        """What this subscription could change to; empty for an unknown one."""
        answer = self._http.send(Call("list_plans", "GET", f"{_path(subscription_id)}/listAvailablePlans"), flow)
        return [Plan.read(each).told_in(self._dimension) for each in listed(answer.document(), "plans")]

    def change_plan(self, subscription_id: str, plan_id: str, flow: Flow) -> str:
        """Asks for another plan; the id of the operation, which the webhook will also tell of.

        Raises:
            Conflicting: another change is under way.
        """
        return self._begin("change_plan", "PATCH", subscription_id, {"planId": plan_id}, flow)

    def change_quantity(self, subscription_id: str, quantity: int, flow: Flow) -> str:
        """Asks for another number of seats; as `change_plan`."""
        return self._begin("change_quantity", "PATCH", subscription_id, {"quantity": quantity}, flow)

    def cancel(self, subscription_id: str, flow: Flow) -> str:
        """Ends the subscription for good; the id of the operation."""
        return self._begin("cancel", "DELETE", subscription_id, None, flow)

    def operations(self, subscription_id: str, flow: Flow) -> list[Operation]:
        """Those that wait for an answer; a new one may take a while to be listed."""
        answer = self._http.send(Call("list_operations", "GET", f"{_path(subscription_id)}/operations"), flow)
        return [Operation.read(each) for each in listed(answer.document(), "operations")]

    def operation(self, subscription_id: str, operation_id: str, flow: Flow) -> Operation:
        """Microsoft's copy of an event. The real service answers 400 as well as 404 for an unknown one.

        Raises:
            NotKnown: Microsoft knows no such operation of this subscription.
        """
        call = Call("get_operation", "GET", f"{_path(subscription_id)}/operations/{_guid(operation_id)}")
        try:
            operation = Operation.read(self._http.send(call, flow).document())
        except Refused as error:
            if error.status == requests.codes.bad_request:
                raise NotKnown(error.status, error.code) from None
            raise
        if (operation.id, operation.subscription_id) != (operation_id.lower(), subscription_id.lower()):
            raise Unreadable("other_operation")
        return operation

    def acknowledge(self, subscription_id: str, operation_id: str, flow: Flow, *, accepted: bool) -> bool:
        """Accepts or rejects a change; False when it was settled before, whichever way."""
        path = f"{_path(subscription_id)}/operations/{_guid(operation_id)}"
        body = {"status": "Success" if accepted else "Failure"}
        try:
            self._http.send(Call("acknowledge", "PATCH", path, body), flow)
        except Conflicting:
            return False
        return True

    def _begin(self, operation: str, method: str, subscription_id: str, body: object, flow: Flow) -> str:
        """Asked once: a repeat would find the first in its way, so an unknown outcome is told as Unreachable.

        Of where to look only the id is taken: our token does not follow a link in a header.
        """
        call = Call(operation, method, _path(subscription_id), body, repeatable=False)
        return _operation_id(self._http.send(call, flow))


def _tokens(settings: Settings, session: requests.Session) -> TokenSource:
    client_id, secret = settings.marketplace_client_id, settings.marketplace_client_secret
    if not secret:
        return IdentityTokens(client_id)
    url = f"{settings.entra_authority}/{settings.marketplace_tenant_id}/oauth2/v2.0/token"
    return SecretTokens(url, client_id, secret, session=session)


def _guid(text: str) -> str:
    if not GUID.match(text.lower()):
        raise NotKnown(code="malformed_id")
    return text.lower()


def _path(subscription_id: str) -> str:
    return f"{_SUBSCRIPTIONS}/{_guid(subscription_id)}"


def _operation_id(answer: Answer) -> str:
    found = _OPERATION.search(answer.headers.get("Operation-Location", ""))
    if found is None or not GUID.match(found[1].lower()):
        raise Unreadable("no_operation")
    return found[1].lower()


def _row(row: object) -> Subscription | UnreadableRow:
    try:
        return Subscription.read(row)
    except Unreadable as error:
        told = row.get("id") if isinstance(row, dict) else None
        known = told.lower() if isinstance(told, str) and GUID.match(told.lower()) else None
        return UnreadableRow(known, error.reason)
