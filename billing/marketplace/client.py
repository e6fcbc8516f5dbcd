"""The client of the Azure Marketplace's SaaS fulfillment API; `meter` is the metering API."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, Self

from billing.marketplace.errors import (
    MarketplaceConflict,
    MarketplaceNotFound,
    MarketplaceRefused,
    PurchaseTokenRefused,
    UnreadableResponse,
)
from billing.marketplace.metering import Meter
from billing.marketplace.model import SUBSCRIBED, Operation, Plan, Subscription, UnreadableRow, list_rows
from billing.marketplace.tokens import IdentityTokens, SecretTokens, TokenSource
from billing.marketplace.transport import MarketplaceCall, MarketplaceTransport, parse_json
from shared.deadline import Deadline
from shared.http_client import HttpClient, Response
from shared.settings import GUID, Settings


_SUBSCRIPTIONS: Final = "saas/subscriptions"
_PURCHASE_TOKEN: Final = re.compile(r"\A[\x21-\x7e]{1,8192}\Z")
_OPERATION: Final = re.compile(r"/operations/([0-9a-f-]{36})(?:[/?]|\Z)", re.IGNORECASE)
_MAX_PAGES: Final = 10_000


class MarketplaceClient:
    """Every call ends at its deadline, and raises the errors of `errors`; threads may share the client.

    Activating or acknowledging twice has the same effect as once.
    """

    def __init__(self, base: str, tokens: TokenSource, http: HttpClient, dimension: str = "") -> None:
        """`dimension` is the one that usage is reported in, for a plan with several."""
        self._transport = MarketplaceTransport(base, tokens, http)
        self._dimension = dimension
        self.meter = Meter(self._transport)
        self._tokens, self._http = tokens, http

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The client that the settings describe; it connects at its first call."""
        http = HttpClient("marketplace", f"{settings.marketplace_api_url}/", f"{settings.entra_authority}/")
        dimension = settings.marketplace_metering_dimension
        return cls(settings.marketplace_api_url, _token_source(settings, http), http, dimension)

    def close(self) -> None:
        self._tokens.close()
        self._http.close()

    def resolve(self, purchase_token: str, deadline: Deadline) -> Subscription:
        """The subscription of a purchase token.

        Raises:
            PurchaseTokenRefused: the token is invalid, or older than a day. No other error says anything about it.
        """
        if not _PURCHASE_TOKEN.match(purchase_token):
            raise PurchaseTokenRefused("malformed_token")
        headers = {"x-ms-marketplace-token": purchase_token}
        call = MarketplaceCall("resolve", "POST", f"{_SUBSCRIPTIONS}/resolve", headers=headers)
        try:
            document = self._send(call, deadline)
        except MarketplaceRefused as error:
            if error.status == HTTPStatus.BAD_REQUEST:
                raise PurchaseTokenRefused(error.code) from None
            raise
        nested = document.get("subscription") if isinstance(document, dict) else None
        if nested is None and isinstance(document, dict):
            return self.get(str(document.get("id")), deadline)  # older responses contain only its id
        subscription = Subscription.parse(nested)
        if str(document.get("id", "")).lower() != subscription.id:
            raise UnreadableResponse("two_subscriptions")
        return subscription

    def activate(self, subscription_id: str, plan_id: str, quantity: int | None, deadline: Deadline) -> None:
        """Activates a purchase. It may take minutes until `get` shows it."""
        body: dict[str, Any] = {"planId": plan_id} if quantity is None else {"planId": plan_id, "quantity": quantity}
        call = MarketplaceCall("activate", "POST", f"{_path(subscription_id)}/activate", body)
        try:
            self._transport.send(call, deadline)
        except MarketplaceRefused as error:
            # A second activation gets 400. The first may be our own, whose response was lost.
            if error.status != HTTPStatus.BAD_REQUEST or self.get(subscription_id, deadline).status != SUBSCRIBED:
                raise

    def get(self, subscription_id: str, deadline: Deadline) -> Subscription:
        """Raises MarketplaceNotFound for an invalid id, and for a subscription of another publisher."""
        document = self._send(MarketplaceCall("get_subscription", "GET", _path(subscription_id)), deadline)
        subscription = Subscription.parse(document)
        if subscription.id != subscription_id.lower():
            raise UnreadableResponse("other_subscription")
        return subscription

    def subscriptions(self, deadline: Deadline) -> Iterator[Subscription | UnreadableRow]:
        """The subscriptions of all offers in all states, page by page, including those that cannot be parsed.

        Raises:
            UnreadableResponse: the link to the next page leads elsewhere, or in a circle.
        """
        call, visited = MarketplaceCall("list_subscriptions", "GET", _SUBSCRIPTIONS), set[str]()
        for _ in range(_MAX_PAGES):
            document = self._send(call, deadline)
            for row in list_rows(document, "subscriptions"):
                yield _parse_row(row)
            link = document.get("@nextLink") if isinstance(document, dict) else None
            if not link:
                return
            if not isinstance(link, str) or (path := self._transport.own_link(link)) in visited:
                raise UnreadableResponse("endless_list")
            visited.add(path)
            call = MarketplaceCall("list_subscriptions", "GET", path)
        raise UnreadableResponse("endless_list")

    def plans(self, subscription_id: str, deadline: Deadline) -> list[Plan]:
        """The plans that this subscription could change to; empty for an unknown one."""
        call = MarketplaceCall("list_plans", "GET", f"{_path(subscription_id)}/listAvailablePlans")
        rows = list_rows(self._send(call, deadline), "plans")
        return [Plan.parse(row).with_dimension(self._dimension) for row in rows]

    def change_plan(self, subscription_id: str, plan_id: str, deadline: Deadline) -> str:
        """Requests another plan; returns the id of the operation, which the webhook will name, too.

        Raises:
            MarketplaceConflict: another change is in progress.
        """
        return self._start_operation("change_plan", "PATCH", subscription_id, {"planId": plan_id}, deadline)

    def change_quantity(self, subscription_id: str, quantity: int, deadline: Deadline) -> str:
        """Requests another number of seats; as `change_plan`."""
        return self._start_operation("change_quantity", "PATCH", subscription_id, {"quantity": quantity}, deadline)

    def cancel(self, subscription_id: str, deadline: Deadline) -> str:
        """Cancels the subscription for good; returns the id of the operation."""
        return self._start_operation("cancel", "DELETE", subscription_id, None, deadline)

    def operations(self, subscription_id: str, deadline: Deadline) -> list[Operation]:
        """The operations that wait for an acknowledgement; a new one may be listed with a delay."""
        call = MarketplaceCall("list_operations", "GET", f"{_path(subscription_id)}/operations")
        return [Operation.parse(row) for row in list_rows(self._send(call, deadline), "operations")]

    def operation(self, subscription_id: str, operation_id: str, deadline: Deadline) -> Operation:
        """Microsoft's copy of an event. For an unknown one the real service returns 400 or 404.

        Raises:
            MarketplaceNotFound: this subscription has no such operation.
        """
        call = MarketplaceCall("get_operation", "GET", _operation_path(subscription_id, operation_id))
        try:
            operation = Operation.parse(self._send(call, deadline))
        except MarketplaceRefused as error:
            if error.status == HTTPStatus.BAD_REQUEST:
                raise MarketplaceNotFound(error.status, error.code) from None
            raise
        if (operation.id, operation.subscription_id) != (operation_id.lower(), subscription_id.lower()):
            raise UnreadableResponse("other_operation")
        return operation

    def acknowledge(self, subscription_id: str, operation_id: str, deadline: Deadline, *, accepted: bool) -> bool:
        """Accepts or rejects a change; False if it was accepted or rejected before."""
        body = {"status": "Success" if accepted else "Failure"}
        path = _operation_path(subscription_id, operation_id)
        try:
            self._transport.send(MarketplaceCall("acknowledge", "PATCH", path, body), deadline)
        except MarketplaceConflict:
            return False
        return True

    def _send(self, call: MarketplaceCall, deadline: Deadline) -> Any:  # noqa: ANN401 - any JSON
        return parse_json(self._transport.send(call, deadline))

    def _start_operation(self, name: str, method: str, subscription_id: str, body: object, deadline: Deadline) -> str:
        """Sent once: a repeat would conflict with the first, so an unknown outcome raises MarketplaceUnavailable.

        Only the id is taken from the header of the response: our token must not follow its link.
        """
        call = MarketplaceCall(name, method, _path(subscription_id), body, repeatable=False)
        return _parse_operation_id(self._transport.send(call, deadline))


def _token_source(settings: Settings, http: HttpClient) -> TokenSource:
    client_id, secret = settings.marketplace_client_id, settings.marketplace_client_secret
    if not secret:
        return IdentityTokens(client_id)
    url = f"{settings.entra_authority}/{settings.marketplace_tenant_id}/oauth2/v2.0/token"
    return SecretTokens(url, client_id, secret, http=http)


def _require_guid(text: str) -> str:
    if not GUID.match(text.lower()):
        raise MarketplaceNotFound(code="malformed_id")
    return text.lower()


def _path(subscription_id: str) -> str:
    return f"{_SUBSCRIPTIONS}/{_require_guid(subscription_id)}"


def _operation_path(subscription_id: str, operation_id: str) -> str:
    return f"{_path(subscription_id)}/operations/{_require_guid(operation_id)}"


def _parse_operation_id(response: Response) -> str:
    match = _OPERATION.search(response.headers.get("Operation-Location", ""))
    if match is None or not GUID.match(match[1].lower()):
        raise UnreadableResponse("no_operation")
    return match[1].lower()


def _parse_row(row: object) -> Subscription | UnreadableRow:
    try:
        return Subscription.parse(row)
    except UnreadableResponse as error:
        value = row.get("id") if isinstance(row, dict) else None
        known = value.lower() if isinstance(value, str) and GUID.match(value.lower()) else None
        return UnreadableRow(known, error.reason)
