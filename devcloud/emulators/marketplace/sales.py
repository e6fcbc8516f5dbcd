"""Actions of customers and the publisher: buy, activate, change, suspend, renew, cancel."""

import base64
import calendar
import datetime as dt
import secrets
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from devcloud.emulators.entra.people import Person, find_person
from devcloud.emulators.marketplace.catalog import find_plan
from devcloud.emulators.marketplace.errors import MarketplaceError
from devcloud.emulators.marketplace.model import Action, Operation, Party, PurchaseToken, Source, Status, Subscription
from devcloud.emulators.marketplace.operations import Operations
from shared import clock


_MONTHS: Final = {"P1M": 1, "P1Y": 12, "P2Y": 24, "P3Y": 36}


class Purchase(BaseModel):
    """A purchase; another `purchaser` than the person is a reseller."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: str = "ada"
    purchaser: str | None = None
    plan: str = "paid"
    quantity: Annotated[int, Field(ge=0)] | None = None
    name: str | None = None
    term: str = "P1M"
    free_trial: bool = False  # for its first term
    active: bool = False


class Sales:
    """The actions; `operations` has the state and the lock."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def buy(self, purchase: Purchase) -> Subscription:
        """Creates a subscription that waits for its activation, unless it was ordered active."""
        beneficiary = _person(purchase.person)
        purchaser = _person(purchase.purchaser) if purchase.purchaser else beneficiary
        plan = find_plan(purchase.plan)
        if not plan.takes(purchase.quantity):
            raise MarketplaceError(400, "BadArgument", f"The plan {plan.id} is not sold in that quantity.")
        if purchase.free_trial and not plan.has_free_trial:
            raise MarketplaceError(400, "BadArgument", f"The plan {plan.id} has no free trial.")
        subscription = Subscription(
            id=str(clock.new_id()),
            name=purchase.name or f"{beneficiary.directory.name} TimeTracker",
            offer_id=plan.offer,
            plan_id=plan.id,
            quantity=purchase.quantity,
            beneficiary=_party(beneficiary),
            purchaser=_party(purchaser),
            term_unit=purchase.term,
            is_free_trial=purchase.free_trial,
            created_at=self._operations.now(),
            resold=purchase.purchaser is not None,
        )
        with self._operations.updating() as state:
            state.subscriptions[subscription.id] = subscription
            if purchase.active:
                self.activate(subscription.id, plan.id, purchase.quantity)
        return subscription

    def new_token(self, subscription_id: str, *, expired: bool = False) -> str:
        """An opaque token that always begins with a plus sign: unescaped in a URL, it arrives as a blank at an end."""
        lifetime = dt.timedelta(seconds=-1 if expired else self._operations.pace.purchase_token_seconds)
        token = base64.b64encode(b"\xf8" + secrets.token_bytes(147)).decode()  # 0xF8 is "+"
        with self._operations.updating() as state:
            self._operations.subscription(subscription_id)
            state.tokens[token] = PurchaseToken(
                subscription_id=subscription_id, expires_at=self._operations.now() + lifetime
            )
        return token

    def resolve(self, token: str | None) -> Subscription:
        if not token:
            raise MarketplaceError(400, "HeaderNotPresent", "The header x-ms-marketplace-token is missing.")
        with self._operations.reading() as state:
            purchase_token = state.tokens.get(token)
            if purchase_token is None or purchase_token.expires_at <= self._operations.now():
                raise MarketplaceError(400, "BadArgument", "The purchase token is malformed, unknown or expired.")
            return self.find_visible(purchase_token.subscription_id)

    def find_visible(self, subscription_id: str) -> Subscription:
        """The subscription as visible to the publisher: an activation shows with a delay."""
        with self._operations.reading():
            subscription = self._operations.subscription(subscription_id)
            hidden = subscription.status == "Subscribed" and self._operations.monotonic() < subscription.visible_at
            return subscription.model_copy(update={"status": "PendingFulfillmentStart"} if hidden else {})

    def page(self, after: int) -> tuple[list[Subscription], int | None]:
        """A page of subscriptions, and the start of the next one."""
        with self._operations.reading() as state:
            end = after + self._operations.shapes.page_size
            ids = list(state.subscriptions)
            return [self.find_visible(each) for each in ids[after:end]], end if end < len(ids) else None

    def activate(self, subscription_id: str, plan_id: object, quantity: object) -> None:
        with self._operations.updating():
            subscription = self._operations.subscription(subscription_id)
            if subscription.status == "Unsubscribed":
                raise MarketplaceError(404, "NotFound", "The subscription was cancelled.")
            if self._operations.shapes.checks_activation:
                _check_activation(subscription, plan_id, quantity)
            if subscription.status == "PendingFulfillmentStart":
                subscription.status = "Subscribed"
                subscription.visible_at = self._operations.monotonic() + self._operations.pace.activation_seconds
                _start_term(subscription, self._operations.now().date())

    def change(self, subscription_id: str, plan_id: str | None, quantity: int | None, source: Source) -> Operation:
        """Begins a change of plan or seats, in force after its acceptance."""
        with self._operations.updating():
            subscription = self._operations.subscription(subscription_id)
            _require_status(subscription, "Subscribed")
            _check_allowed(subscription, source)
            if (plan_id is None) == (quantity is None):
                raise MarketplaceError(400, "BadArgument", "Give a planId or a quantity, and not both.")
            plan = find_plan(plan_id or subscription.plan_id)
            new_quantity = subscription.quantity if quantity is None else quantity
            if plan.offer != subscription.offer_id or not plan.takes(new_quantity):
                raise MarketplaceError(
                    400, "BadArgument", "The offer has no such plan, or the plan not that many seats."
                )
            if (plan.id, new_quantity) == (subscription.plan_id, subscription.quantity):
                raise MarketplaceError(400, "BadArgument", "The new value is the present one.")
            action: Action = "ChangeQuantity" if plan_id is None else "ChangePlan"
            return self._operations.begin(subscription, action, plan.id, new_quantity, source)

    def suspend(self, subscription_id: str) -> Operation:
        with self._operations.updating():
            subscription = self._operations.subscription(subscription_id)
            _require_status(subscription, "Subscribed")
            subscription.status = "Suspended"
            return self._operations.notice(subscription, "Suspend")

    def reinstate(self, subscription_id: str) -> Operation:
        with self._operations.updating():
            subscription = self._operations.subscription(subscription_id)
            _require_status(subscription, "Suspended")
            if self._operations.shapes.reinstate_status == "Succeeded":
                subscription.status = "Subscribed"
                return self._operations.notice(subscription, "Reinstate")
            value = (subscription.plan_id, subscription.quantity)
            return self._operations.begin(subscription, "Reinstate", *value, "Azure")

    def renew(self, subscription_id: str) -> Operation:
        with self._operations.updating():
            subscription = self._operations.subscription(subscription_id)
            _require_status(subscription, "Subscribed")
            ended = subscription.ends_on or self._operations.now().date()
            subscription.is_free_trial = False
            _start_term(subscription, ended + dt.timedelta(days=1))
            return self._operations.notice(subscription, "Renew")

    def unsubscribe(self, subscription_id: str, source: Source) -> Operation | None:
        """Cancels it; without an activation there is no event."""
        with self._operations.updating():
            subscription = self._operations.subscription(subscription_id)
            if subscription.status == "Unsubscribed":
                raise MarketplaceError(404, "NotFound", "The subscription was cancelled before.")
            _check_allowed(subscription, source)
            for operation in self._operations.outstanding(subscription_id):
                operation.status = "Failed"
            is_silent = subscription.status == "PendingFulfillmentStart" and source == "Azure"
            subscription.status, subscription.cancelled_at = "Unsubscribed", self._operations.now()
            return None if is_silent else self._operations.notice(subscription, "Unsubscribe", source)


def _person(name: str) -> Person:
    subscription = find_person(name)
    if subscription is None:
        raise MarketplaceError(400, "BadArgument", f"Unknown person {name!r}.")
    return subscription


def _party(person: Person) -> Party:
    return Party(email=person.email, oid=person.oid, tid=person.directory.tid)


def _require_status(subscription: Subscription, status: Status) -> None:
    if subscription.status != status:
        raise MarketplaceError(
            400, "BadArgument", f"The subscription is {subscription.status}, and would have to be {status}."
        )


def _check_allowed(subscription: Subscription, source: Source) -> None:
    if source == "Partner" and subscription.resold:
        raise MarketplaceError(400, "BadArgument", "The publisher may only read what a reseller sold.")


def _check_activation(subscription: Subscription, plan_id: object, quantity: object) -> None:
    """The quantity of a plan with seats must be that of the purchase, as a number or text."""
    if subscription.status != "PendingFulfillmentStart":
        raise MarketplaceError(400, "BadArgument", f"The subscription is {subscription.status} already.")
    wanted = "" if subscription.quantity is None else str(subscription.quantity)
    if plan_id != subscription.plan_id or (wanted and str(quantity) != wanted):
        raise MarketplaceError(400, "BadArgument", "The plan or the quantity is not the one that was bought.")


def _start_term(subscription: Subscription, begins: dt.date) -> None:
    """Sets the first and last day of a term. In a month without the day, the next term starts on the last day."""
    months = begins.month - 1 + _MONTHS.get(subscription.term_unit, 1)
    year, month = begins.year + months // 12, months % 12 + 1
    next_term = dt.date(year, month, min(begins.day, calendar.monthrange(year, month)[1]))
    subscription.starts_on, subscription.ends_on = begins, next_term - dt.timedelta(days=1)
